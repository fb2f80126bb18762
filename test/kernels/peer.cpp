// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Both ends of an exchange, for the guest.
//   peer serve PORT                        TCP and UDP, IPv4 and IPv6: answers with the client's address, then what it
//   got peer ask tcp|udp ADDRESS PORT CLIENT   exit status 0 where all came back, and the server saw CLIENT
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>

namespace {

constexpr int patience_ms = 3000;
constexpr std::size_t stream_size = 300'000;  // more than a window: acknowledgements must find their way too
constexpr std::size_t datagram_size = 1'000;

[[noreturn]] void give_up(const std::string& what)
{
    std::fprintf(stderr, "%s: %s\n", what.c_str(), std::strerror(errno));
    std::exit(1);
}

std::string shown(const sockaddr_in6& address)
{
    char text[INET6_ADDRSTRLEN] = {};
    inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text);
    const std::string_view mapped = "::ffff:";
    return std::string_view(text).starts_with(mapped) ? text + mapped.size() : text;
}

void wait_readable(int socket)
{
    pollfd ready{socket, POLLIN, 0};
    if (poll(&ready, 1, patience_ms) == 0)
        errno = ETIMEDOUT;
    else if (ready.revents != 0)
        return;
    give_up("wait for an answer");
}

std::string read_all(int socket, bool with_patience)
{
    std::string all;
    char part[16384];
    for (;;) {
        if (with_patience)
            wait_readable(socket);
        const ssize_t got = read(socket, part, sizeof part);
        if (got <= 0)
            return all;
        all.append(part, static_cast<std::size_t>(got));
    }
}

void send_all(int socket, std::string_view data)
{
    while (!data.empty()) {
        const ssize_t sent = send(socket, data.data(), data.size(), MSG_NOSIGNAL);
        if (sent < 0)
            return;
        data.remove_prefix(static_cast<std::size_t>(sent));
    }
}

int bound(int type, in_port_t port)
{
    const int socket = ::socket(AF_INET6, type, 0);
    const int on = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = port;
    if (bind(socket, reinterpret_cast<sockaddr*>(&any), sizeof any) != 0)
        give_up("bind");
    return socket;
}

void serve_udp(int socket)
{
    for (;;) {
        char datagram[65536];
        sockaddr_in6 client{};
        socklen_t size = sizeof client;
        const ssize_t got = recvfrom(socket, datagram, sizeof datagram, 0, reinterpret_cast<sockaddr*>(&client), &size);
        if (got < 0)
            continue;
        const std::string answer = shown(client) + '\n' + std::string(datagram, static_cast<std::size_t>(got));
        sendto(socket, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&client), size);
    }
}

int serve(in_port_t port)
{
    std::thread(serve_udp, bound(SOCK_DGRAM, port)).detach();
    const int listener = bound(SOCK_STREAM, port);
    if (listen(listener, 16) != 0)
        give_up("listen");
    for (;;) {
        sockaddr_in6 client{};
        socklen_t size = sizeof client;
        const int connection = accept(listener, reinterpret_cast<sockaddr*>(&client), &size);
        if (connection < 0)
            continue;
        send_all(connection, shown(client) + '\n' + read_all(connection, false));
        close(connection);
    }
}

int ask(bool tcp, const char* address, in_port_t port, const std::string& client)
{
    sockaddr_storage server{};
    socklen_t size = sizeof(sockaddr_in);
    auto& v4 = reinterpret_cast<sockaddr_in&>(server);
    auto& v6 = reinterpret_cast<sockaddr_in6&>(server);
    if (inet_pton(AF_INET, address, &v4.sin_addr) == 1) {
        server.ss_family = AF_INET;
        v4.sin_port = port;
    } else if (inet_pton(AF_INET6, address, &v6.sin6_addr) == 1) {
        server.ss_family = AF_INET6;
        v6.sin6_port = port;
        size = sizeof v6;
    } else {
        give_up(std::string("no address: ") + address);
    }

    const int socket = ::socket(server.ss_family, tcp ? SOCK_STREAM : SOCK_DGRAM, 0);
    const timeval patience{patience_ms / 1000, 0};
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);  // for connect() as well
    if (connect(socket, reinterpret_cast<sockaddr*>(&server), size) != 0)
        give_up("connect");

    std::string question(tcp ? stream_size : datagram_size, ' ');
    for (std::size_t i = 0; i < question.size(); i++)
        question[i] = static_cast<char>('a' + i * 7 % 23);
    send_all(socket, question);
    std::string answer;
    if (tcp) {
        shutdown(socket, SHUT_WR);
        answer = read_all(socket, true);
    } else {
        wait_readable(socket);
        answer.resize(65536);
        const ssize_t got = read(socket, answer.data(), answer.size());
        answer.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    }
    if (answer == client + '\n' + question)
        return 0;
    std::printf("%zu bytes came back, from \"%s\"\n", answer.size(),
                answer.substr(0, answer.find('\n')).substr(0, 60).c_str());
    return 1;
}

}  // namespace

int main(int count, char** words)
{
    if (count == 3 && std::string_view(words[1]) == "serve")
        return serve(htons(static_cast<in_port_t>(std::atoi(words[2]))));
    if (count == 6 && std::string_view(words[1]) == "ask")
        return ask(std::string_view(words[2]) == "tcp", words[3], htons(static_cast<in_port_t>(std::atoi(words[4]))),
                   words[5]);
    std::fprintf(stderr, "usage: peer serve PORT | peer ask tcp|udp ADDRESS PORT CLIENT\n");
    return 2;
}
