// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/traffic.hpp"

#include "support/errors.hpp"

#include <poll.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace sallyport::test {
namespace {

constexpr std::chrono::milliseconds heartbeat{20};  // how soon a server notices that it should stop
constexpr int so_no_check = 11;                     // SO_NO_CHECK of asm-generic/socket.h

std::string heard(const std::system_error& error)
{
    switch (error.code().value()) {
    case ECONNREFUSED:
        return "refused";
    case ETIMEDOUT:
        return "silence";
    default:
        return error.code().message();
    }
}

void apply(const DialOptions& options, int socket)
{
    if (options.source) {
        const SocketAddress source(*options.source);
        const int on = 1;
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (bind(socket, source.raw(), source.size) != 0)
            fail(errno, "bind " + options.source->to_string());
    }
    if (!options.ip_options.empty() && setsockopt(socket, IPPROTO_IP, IP_OPTIONS, options.ip_options.data(),
                                                  static_cast<socklen_t>(options.ip_options.size())) != 0)
        fail(errno, "IP_OPTIONS");
    if (const int on = 1; options.no_checksum && setsockopt(socket, SOL_SOCKET, so_no_check, &on, sizeof(on)) != 0)
        fail(errno, "SO_NO_CHECK");
}

std::string summary(const std::string& data)
{
    return std::to_string(data.size()) + ' ' + std::to_string(digest(data));
}

}  // namespace

TcpServer::TcpServer(const Namespace& netns, std::string name, const Target& listen, const BindOptions& options)
    : name_(std::move(name)),
      listener_(bound_socket(netns, listen, SOCK_STREAM, options)),
      acceptor_([this] { accept_all(); })
{}

TcpServer::~TcpServer()
{
    stop_ = true;
    acceptor_.join();
    for (std::thread& connection : connections_)
        connection.join();
}

void TcpServer::accept_all()
{
    while (!stop_) {
        if (!wait_for(listener_.get(), POLLIN, heartbeat))
            continue;
        SocketAddress from;
        const int socket = accept4(listener_.get(), from.raw(), &from.size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (socket < 0)
            continue;
        connections_.emplace_back([this, socket, client = from.target().address] {
            const UniqueFd owner(socket);
            serve(socket, client);
        });
    }
}

void TcpServer::serve(int socket, const std::string& client) const
{
    std::string data;
    std::string question;
    for (bool open = true; open && !stop_;) {
        if (!wait_for(socket, POLLIN, heartbeat))
            continue;
        char buffer[65536];
        const ssize_t count = recv(socket, buffer, sizeof(buffer), 0);
        if (count < 0 && errno == EAGAIN)
            continue;
        open = count > 0;
        if (open)
            data.append(buffer, static_cast<std::size_t>(count));
        const std::size_t end = data.find('\n');
        if (question.empty() && end != std::string::npos) {
            question = data.substr(0, end);
            data.erase(0, end + 1);
            if (question == "echo")
                send_all(socket, "ready\n");
        }
        if (question == "echo") {
            send_all(socket, data);
            data.clear();
        } else if (question == "who") {
            send_all(socket, name_ + ' ' + client + '\n');
            return;
        } else if (question.starts_with("give ")) {
            send_all(socket, pattern(std::stoul(question.substr(5))));
            return;
        }
    }
    if (question == "take")
        send_all(socket, summary(data) + '\n');
}

UdpServer::UdpServer(const Namespace& netns, std::string name, const Target& listen, const BindOptions& options)
    : name_(std::move(name)),
      socket_(bound_socket(netns, listen, SOCK_DGRAM, options)),
      thread_([this] { answer_all(); })
{}

UdpServer::~UdpServer()
{
    stop_ = true;
    thread_.join();
}

void UdpServer::answer_all() const
{
    while (!stop_) {
        if (!wait_for(socket_.get(), POLLIN, heartbeat))
            continue;
        char buffer[65536];
        SocketAddress from;
        const ssize_t count = recvfrom(socket_.get(), buffer, sizeof(buffer), 0, from.raw(), &from.size);
        if (count < 0)
            continue;
        const std::string answer = name_ + ' ' + from.target().address + ' ' + std::to_string(count);
        sendto(socket_.get(), answer.data(), answer.size(), 0, from.raw(), from.size);
    }
}

UniqueFd dial(const Namespace& netns, int protocol, const Target& target, const DialOptions& options)
{
    const SocketAddress address(target);
    UniqueFd socket = open_socket(netns, address.storage.ss_family, protocol == IPPROTO_TCP ? SOCK_STREAM : SOCK_DGRAM);
    apply(options, socket.get());
    if (connect(socket.get(), address.raw(), address.size) == 0)
        return socket;
    if (errno != EINPROGRESS)
        fail(errno, "connect " + target.to_string());
    if (!wait_for(socket.get(), POLLOUT, options.limit))
        fail(ETIMEDOUT, "connect " + target.to_string());
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0)
        fail(error, "connect " + target.to_string());
    return socket;
}

Connection::Connection(const Namespace& netns, const Target& target, const DialOptions& options)
    : socket_(dial(netns, IPPROTO_TCP, target, options))
{}

void Connection::finish()
{
    shutdown(fd(), SHUT_WR);
}

bool Connection::receive()
{
    char buffer[65536];
    for (;;) {
        const ssize_t count = recv(fd(), buffer, sizeof(buffer), 0);
        if (count > 0)
            buffer_.append(buffer, static_cast<std::size_t>(count));
        if (count >= 0)
            return count > 0;
        if (errno != EAGAIN || !wait_for(fd(), POLLIN, patience))
            return false;
    }
}

std::string Connection::read_line()
{
    std::size_t end = 0;
    while ((end = buffer_.find('\n')) == std::string::npos) {
        if (!receive())
            return std::exchange(buffer_, "");
    }
    std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    return line;
}

std::string Connection::read_all()
{
    while (receive()) {
    }
    return std::exchange(buffer_, "");
}

std::string Connection::read(std::size_t size)
{
    while (buffer_.size() < size && receive()) {
    }
    std::string data = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return data;
}

std::string ask_tcp(const Namespace& netns, const Target& target, const DialOptions& options)
{
    try {
        Connection connection(netns, target, options);
        connection.send("who\n");
        const std::string answer = connection.read_line();
        connection.read_all();  // whoever closes first waits a minute with the port, and that shall not be the client
        return answer;
    } catch (const std::system_error& error) {
        return heard(error);
    }
}

std::string ask_udp(const Namespace& netns, const Target& target, const DialOptions& options,
                    const std::string& datagram)
{
    try {
        // Connected: only an answer from where we asked counts, and a refusal is heard.
        const UniqueFd socket = dial(netns, IPPROTO_UDP, target, options);
        if (send(socket.get(), datagram.data(), datagram.size(), 0) < 0)
            fail(errno, "send to " + target.to_string());
        if (!wait_for(socket.get(), POLLIN, options.limit))
            return "silence";
        char buffer[2048];
        const ssize_t count = recv(socket.get(), buffer, sizeof(buffer), 0);
        if (count < 0)
            fail(errno, "receive");
        return {buffer, static_cast<std::size_t>(count)};
    } catch (const std::system_error& error) {
        return heard(error);
    }
}

std::string transfer_both_ways(const Namespace& netns, const Target& target, std::size_t size)
{
    const std::string data = pattern(size);
    Connection up(netns, target);
    if (!up.send("take\n") || !up.send(data))
        return "upload broke off";
    up.finish();
    if (const std::string answer = up.read_line(); answer != summary(data))
        return "upload: sent " + summary(data) + ", server got " + answer;

    Connection down(netns, target);
    down.send("give " + std::to_string(size) + '\n');
    const std::string received = down.read_all();
    return received == data ? "" : "download: wanted " + summary(data) + ", got " + summary(received);
}

}  // namespace sallyport::test
