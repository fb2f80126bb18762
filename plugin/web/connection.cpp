// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "connection.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

namespace sallyport::web {

namespace {

bool try_again(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/// Every method is in capital letters. TLS and the like begin otherwise.
bool begins_like_http(std::string_view head)
{
    return head.front() >= 'A' && head.front() <= 'Z';
}

}  // namespace

Connection::Connection(UniqueFd socket) : socket_(std::move(socket))
{
    enter(Phase::reading, for_head);
}

Family Connection::family() const
{
    sockaddr_in6 own{};
    socklen_t size = sizeof own;
    if (getsockname(fd(), reinterpret_cast<sockaddr*>(&own), &size) != 0 || own.sin6_family != AF_INET6)
        return Family::v4;
    return IN6_IS_ADDR_V4MAPPED(&own.sin6_addr) ? Family::v4 : Family::v6;
}

void Connection::enter(Phase phase, std::chrono::seconds limit)
{
    phase_ = phase;
    waiting_since_ = std::chrono::steady_clock::now();
    deadline_ = waiting_since_ + limit;
}

bool Connection::read_head()
{
    std::array<char, 4096> buffer{};
    for (;;) {
        const ssize_t count = recv(fd(), buffer.data(), buffer.size(), 0);
        if (count < 0 && try_again(errno))
            return false;
        if (count <= 0) {
            phase_ = Phase::over;  // nobody waits for an answer
            return false;
        }
        // The end may have come in two parts.
        const std::size_t from = head_.size() < 3 ? 0 : head_.size() - 3;
        head_.append(buffer.data(), static_cast<std::size_t>(count));
        if (too_long() || !begins_like_http(head_))
            return true;
        const std::size_t end = head_.find("\r\n\r\n", from);
        if (end != std::string::npos)
            return true;
    }
}

void Connection::answer(Message message)
{
    message_ = std::move(message);
    head_ = {};
    enter(Phase::sending, for_answer);
    send_more();
}

void Connection::go_on()
{
    if (phase_ == Phase::sending)
        send_more();
    else
        drain();
}

void Connection::send_more()
{
    const std::size_t head_size = message_.head.size();
    const std::size_t size = head_size + (message_.body ? message_.body->size() : 0);
    while (sent_ < size) {
        const std::string_view part = sent_ < head_size ? std::string_view(message_.head).substr(sent_)
                                                        : std::string_view(*message_.body).substr(sent_ - head_size);
        const int more = sent_ < head_size && size > head_size ? MSG_MORE : 0;
        const ssize_t count = send(fd(), part.data(), part.size(), MSG_NOSIGNAL | more);
        if (count < 0 && try_again(errno))
            return;
        if (count < 0) {
            phase_ = Phase::over;
            return;
        }
        sent_ += static_cast<std::size_t>(count);
        waiting_since_ = std::chrono::steady_clock::now();
    }
    // To close a socket with something unread in it is a reset, which may overtake the answer.
    message_ = {};
    shutdown(fd(), SHUT_WR);
    enter(Phase::leaving, for_leaving);
    drain();
}

void Connection::drain()
{
    std::array<char, 4096> buffer{};
    for (int reads = 0; reads < 16; reads++) {  // then others have their turn
        const ssize_t count = recv(fd(), buffer.data(), buffer.size(), 0);
        if (count < 0 && try_again(errno))
            return;
        if (count <= 0) {
            phase_ = Phase::over;
            return;
        }
    }
}

}  // namespace sallyport::web
