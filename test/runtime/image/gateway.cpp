// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A pod's only program: answers whoever asks port 9080, over TCP or UDP, with the pod's name and whom it sees, as the
// servers of support/traffic.hpp do. Linked statically, as its image holds nothing else; so it looks up no names.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
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

}  // namespace

int main()
{
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
