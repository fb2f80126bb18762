// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "server.hpp"

#include "socket.hpp"

#include <thread>

namespace {

void serve_datagrams(const std::string& name, const UniqueFd& socket)
{
    for (std::string datagram(65536, '\0');;) {
        Address client;
        const ssize_t size = recvfrom(socket.get(), datagram.data(), datagram.size(), 0, client.raw(), &client.size);
        if (size < 0)
            continue;
        const std::string answer =
            name + ' ' + client.host() + '\n' + datagram.substr(0, static_cast<std::size_t>(size));
        sendto(socket.get(), answer.data(), answer.size(), 0, client.raw(), client.size);
    }
}

void serve_connection(const std::string& name, const UniqueFd& connection, const Address& client)
{
    send_all(connection.get(), name + ' ' + client.host() + '\n');
    char part[16384];
    for (ssize_t got; (got = read(connection.get(), part, sizeof part)) > 0;)
        send_all(connection.get(), {part, static_cast<std::size_t>(got)});
}

}  // namespace

void serve(const std::string& name, std::size_t port)
{
    const Address any = Address::any(AF_INET6, port);
    const UniqueFd datagrams = bound_socket(SOCK_DGRAM, any);
    const UniqueFd listener = bound_socket(SOCK_STREAM, any);
    std::thread(serve_datagrams, name, std::cref(datagrams)).detach();
    if (listen(listener.get(), 16) != 0)
        give_up("listen");
    for (;;) {
        Address client;
        UniqueFd connection(accept(listener.get(), client.raw(), &client.size));
        if (connection)
            std::thread([name, client, connection = std::move(connection)] {
                serve_connection(name, connection, client);
            }).detach();
    }
}
