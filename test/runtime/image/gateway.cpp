// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A pod's only program: answers whoever connects to port 9080 with the pod's name and whom it sees, as the servers of
// support/traffic.hpp do. Linked statically, as its image holds nothing else; so it looks up no names.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
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

}  // namespace

int main()
{
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(9080);
    const int listener = socket(AF_INET6, SOCK_STREAM, 0);
    if (bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 || listen(listener, 16) != 0)
        return 1;

    std::array<char, 256> name{};
    gethostname(name.data(), name.size() - 1);
    for (;;) {
        sockaddr_in6 client{};
        socklen_t size = sizeof client;
        const int connection = accept(listener, reinterpret_cast<sockaddr*>(&client), &size);
        if (connection < 0)
            continue;
        std::array<char, 256> question{};
        if (read(connection, question.data(), question.size()) > 0) {
            const std::string answer = std::string(name.data()) + " " + text_of(client) + "\n";
            (void)!write(connection, answer.data(), answer.size());
        }
        close(connection);
    }
}
