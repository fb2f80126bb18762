// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A pod's only program: answers whoever asks port 9080, over TCP or UDP, with the pod's name and whom it sees, as the
// servers of support/traffic.hpp do. `gateway ask <address> <port>` asks one over TCP, as a container's second process.
// Linked statically, as its image holds nothing else; so it looks up no names.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

/// IPv4 in its own form: it is seen v4-mapped.
std::string text_of(const sockaddr_in6& client)
{
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(AF_INET6, &client.sin6_addr, text.data(), text.size());
    const std::string whole = text.data();
    return whole.rfind("::ffff:", 0) == 0 ? whole.substr(7) : whole;
}

int bound(int type)
{
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(9080);
    const int socket = ::socket(AF_INET6, type, 0);
    return bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 ? socket : -1;
}

std::string answer_to(const sockaddr_in6& client)
{
    std::array<char, 256> name{};
    gethostname(name.data(), name.size() - 1);
    return std::string(name.data()) + " " + text_of(client) + "\n";
}

void serve_connection(int listener)
{
    sockaddr_in6 client{};
    socklen_t size = sizeof client;
    const int connection = accept(listener, reinterpret_cast<sockaddr*>(&client), &size);
    if (connection < 0)
        return;
    std::array<char, 256> question{};
    if (read(connection, question.data(), question.size()) > 0) {
        const std::string answer = answer_to(client);
        (void)!write(connection, answer.data(), answer.size());
    }
    close(connection);
}

void serve_datagram(int socket)
{
    sockaddr_in6 client{};
    socklen_t size = sizeof client;
    std::array<char, 256> question{};
    auto* const address = reinterpret_cast<sockaddr*>(&client);
    if (recvfrom(socket, question.data(), question.size(), 0, address, &size) < 0)
        return;
    const std::string answer = answer_to(client);
    (void)!sendto(socket, answer.data(), answer.size(), 0, address, size);
}

/// What connect() wants; 0 where the text is no address.
socklen_t parse(const std::string& address, int port, sockaddr_storage& target)
{
    auto* const v4 = reinterpret_cast<sockaddr_in*>(&target);
    auto* const v6 = reinterpret_cast<sockaddr_in6*>(&target);
    if (inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return sizeof *v4;
    }
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    return inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1 ? sizeof *v6 : 0;
}

/// Prints the answer, or why there is none.
int ask(const std::string& address, int port)
{
    sockaddr_storage target{};
    const socklen_t size = parse(address, port, target);
    const int socket = ::socket(target.ss_family, SOCK_STREAM, 0);
    const timeval limit{5, 0};
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    std::array<char, 256> answer{};
    if (connect(socket, reinterpret_cast<const sockaddr*>(&target), size) != 0 || write(socket, "who\n", 4) != 4 ||
        read(socket, answer.data(), answer.size() - 1) <= 0) {
        std::puts(errno == ECONNREFUSED ? "refused" : "silence");
        return 1;
    }
    std::fputs(answer.data(), stdout);
    return 0;
}

}  // namespace

int main(int argc, char** argv)
{
    if (argc == 4 && argv[1] == std::string("ask"))
        return ask(argv[2], std::atoi(argv[3]));
    std::signal(SIGTERM, [](int) { _exit(0); });  // as its namespace's first process it isn't ended otherwise
    std::array<pollfd, 2> sockets{{{bound(SOCK_STREAM), POLLIN, 0}, {bound(SOCK_DGRAM), POLLIN, 0}}};
    if (listen(sockets[0].fd, 16) != 0 || sockets[1].fd < 0)
        return 1;
    for (;;) {
        poll(sockets.data(), sockets.size(), -1);
        if (sockets[0].revents != 0)
            serve_connection(sockets[0].fd);
        if (sockets[1].revents != 0)
            serve_datagram(sockets[1].fd);
    }
}
