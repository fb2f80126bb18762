// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "listener.hpp"

#include "sallyport/error.hpp"
#include "sallyport/web.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string>

namespace sallyport {

namespace {

using Steady = std::chrono::steady_clock;

constexpr std::size_t largest = 65'536;

/// Waits for the socket; throws where `end` comes first.
void wait_for(const UniqueFd& socket, short events, Steady::time_point end)
{
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Steady::now()).count();
    pollfd event{socket.get(), events, 0};
    if (left <= 0 || ::poll(&event, 1, static_cast<int>(left)) == 0)
        throw Error(Code::try_again_later, "no answer in time");
}

[[noreturn]] void fail(const char* action, int error)
{
    throw Error(Code::io_failure, action + (": " + errno_text(error)));
}

void send_all(const UniqueFd& socket, std::string_view text, Steady::time_point end)
{
    while (!text.empty()) {
        wait_for(socket, POLLOUT, end);
        const ssize_t sent = ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR)
            fail("connect", errno);  // refused, mostly
        text.remove_prefix(sent > 0 ? static_cast<std::size_t>(sent) : 0);
    }
}

std::string receive_all(const UniqueFd& socket, Steady::time_point end)
{
    std::string text;
    std::array<char, 4096> buffer{};
    while (text.size() < largest) {
        wait_for(socket, POLLIN, end);
        const ssize_t count = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
        if (count < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (count < 0)
            fail("receive", errno);
        if (count == 0)
            break;
        text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return text;
}

WebAnswer parsed(const std::string& text)
{
    constexpr std::string_view start = "HTTP/1.1 ";
    WebAnswer answer;
    const std::size_t body = text.find("\r\n\r\n");
    if (text.starts_with(start) && body != std::string::npos)
        std::from_chars(text.data() + start.size(), text.data() + text.size(), answer.status);
    if (answer.status == 0)
        throw Error(Code::io_failure, "what answers there doesn't speak HTTP/1.1");
    answer.body = text.substr(body + 4);
    return answer;
}

}  // namespace

WebAnswer ask_web(const std::string& listen, const std::string& path, std::chrono::milliseconds patience)
{
    try {
        const auto end = Steady::now() + patience;
        const UniqueFd socket = web::begin_to_connect(web::parse_listen(listen));
        send_all(socket, "GET " + path + " HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n", end);
        return parsed(receive_all(socket, end));
    } catch (const Error& error) {
        return {.status = 0, .body = {}, .problem = error.what()};
    }
}

}  // namespace sallyport
