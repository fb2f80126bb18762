// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/echo.hpp"

#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace sallyport::test {
namespace {

void watch(const UniqueFd& epoll, int socket)
{
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = socket;
    epoll_ctl(epoll.get(), EPOLL_CTL_ADD, socket, &event);
}

}  // namespace

EchoServer::EchoServer(const Namespace& netns, const Target& listen)
    : listener_(bound_socket(netns, listen, SOCK_STREAM)),
      datagrams_(bound_socket(netns, listen, SOCK_DGRAM)),
      epoll_(epoll_create1(EPOLL_CLOEXEC))
{
    watch(epoll_, listener_.get());
    watch(epoll_, datagrams_.get());
    thread_ = std::thread([this] { serve(); });
}

EchoServer::~EchoServer()
{
    stop_ = true;
    thread_.join();
}

void EchoServer::accept_all()
{
    for (;;) {
        UniqueFd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!socket)
            return;
        watch(epoll_, socket.get());
        connections_.emplace(socket.get(), std::move(socket));
    }
}

void EchoServer::answer_datagrams() const
{
    for (;;) {
        char buffer[65536];
        SocketAddress from;
        const ssize_t count = recvfrom(datagrams_.get(), buffer, sizeof(buffer), 0, from.raw(), &from.size);
        if (count < 0)
            return;
        sendto(datagrams_.get(), buffer, static_cast<std::size_t>(count), 0, from.raw(), from.size);
    }
}

void EchoServer::serve()
{
    while (!stop_) {
        std::array<epoll_event, 64> events{};
        const int ready = epoll_wait(epoll_.get(), events.data(), events.size(), 20);
        for (int i = 0; i < ready; i++) {
            const int socket = events[static_cast<std::size_t>(i)].data.fd;
            if (socket == listener_.get()) {
                accept_all();
            } else if (socket == datagrams_.get()) {
                answer_datagrams();
            } else {
                char buffer[65536];
                const ssize_t count = recv(socket, buffer, sizeof(buffer), 0);
                if (count > 0)
                    send_all(socket, {buffer, static_cast<std::size_t>(count)});
                else if (count == 0 || errno != EAGAIN)
                    connections_.erase(socket);
            }
        }
    }
}

EchoClient::EchoClient(const Namespace& netns, int protocol, const Target& target, const DialOptions& options)
    : socket_(dial(netns, protocol, target, options))
{}

bool EchoClient::send(const std::string& text) const
{
    return send_all(socket_.get(), text);
}

std::string EchoClient::receive(std::size_t size) const
{
    std::string text;
    while (text.size() < size && wait_for(socket_.get(), POLLIN, patience)) {
        char buffer[65536];
        const ssize_t count = recv(socket_.get(), buffer, std::min(sizeof(buffer), size - text.size()), 0);
        if (count <= 0)
            break;
        text.append(buffer, static_cast<std::size_t>(count));
    }
    return text;
}

bool EchoClient::finish() const
{
    char byte = 0;
    shutdown(socket_.get(), SHUT_WR);
    return wait_for(socket_.get(), POLLIN, patience) && recv(socket_.get(), &byte, 1, 0) == 0;
}

std::string EchoClient::waiting() const
{
    char buffer[65536];
    const ssize_t count = recv(socket_.get(), buffer, sizeof(buffer), 0);
    return {buffer, count > 0 ? static_cast<std::size_t>(count) : 0};
}

std::string EchoClient::echo(const std::string& text) const
{
    if (!send(text))
        return "can't send";
    const std::string back = receive(text.size());
    return back == text ? "" : "sent \"" + text + "\", got \"" + back + '"';
}

}  // namespace sallyport::test
