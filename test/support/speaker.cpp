// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/speaker.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sallyport::test {

namespace {

void watch(int epoll, int socket)
{
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = socket;
    epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event);
}

/// Connects, leaves as soon as it is welcome, and waits until the server has closed. "" or what went wrong.
std::string come_and_go_once(const SocketAddress& target)
{
    const UniqueFd socket(::socket(target.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval limit{.tv_sec = patience.count(), .tv_usec = 0};
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (::connect(socket.get(), target.raw(), target.size) != 0)
        return std::string("connect: ") + std::strerror(errno);
    if (!send_all(socket.get(), "leave\n"))
        return std::string("send: ") + std::strerror(errno);
    char buffer[64];
    ssize_t count = 0;
    while ((count = recv(socket.get(), buffer, sizeof buffer, 0)) > 0)
        ;
    return count == 0 ? "" : std::string("receive: ") + std::strerror(errno);
}

}  // namespace

Speaker::Speaker(const Namespace& netns, const Target& listen)
    : listener_(bound_socket(netns, listen, SOCK_STREAM)),
      epoll_(epoll_create1(EPOLL_CLOEXEC))
{
    ::listen(listener_.get(), 4096);
    watch(epoll_.get(), listener_.get());
    thread_ = std::thread([this] { serve(); });
}

Speaker::~Speaker()
{
    stop_ = true;
    thread_.join();
}

void Speaker::speak(std::string_view text) const
{
    const std::lock_guard lock(mutex_);
    for (const auto& [fd, client] : clients_)
        if (client.kind == "listen")
            send_all(fd, text);
}

void Speaker::accept_all()
{
    for (;;) {
        UniqueFd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!socket)
            return;
        send_all(socket.get(), "welcome\n");
        watch(epoll_.get(), socket.get());
        const int fd = socket.get();
        clients_.insert_or_assign(fd, Client{std::move(socket), ""});
    }
}

/// False where the connection is over.
bool Speaker::answer(Client& client) const
{
    char buffer[256];
    const ssize_t count = recv(client.socket.get(), buffer, sizeof buffer, 0);
    if (count <= 0)
        return count < 0 && errno == EAGAIN;
    const std::string_view text(buffer, static_cast<std::size_t>(count));
    if (!client.kind.empty())
        return send_all(client.socket.get(), text);
    client.kind = text.substr(0, text.find('\n'));
    if (client.kind != "leave")
        return send_all(client.socket.get(), "so be it\n");
    send_all(client.socket.get(), "bye\n");
    return false;
}

void Speaker::serve()
{
    while (!stop_) {
        epoll_event events[64];
        const int count = epoll_wait(epoll_.get(), events, 64, 50);
        const std::lock_guard lock(mutex_);
        for (int i = 0; i < count; i++) {
            const int fd = events[i].data.fd;
            if (fd == listener_.get())
                accept_all();
            else if (const auto client = clients_.find(fd); client != clients_.end() && !answer(client->second))
                clients_.erase(client);
        }
    }
}

std::string come_and_go(const Namespace& netns, const Target& target, std::uint32_t count)
{
    return netns.run([&, address = SocketAddress(target)] {
        for (std::uint32_t i = 0; i < count; i++)
            if (const std::string wrong = come_and_go_once(address); !wrong.empty())
                return "connection " + std::to_string(i) + ": " + wrong;
        return std::string();
    });
}

}  // namespace sallyport::test
