// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "client.hpp"

#include <sys/time.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <thread>

namespace {

std::string question(Transport transport)
{
    // A stream of more than a window: acknowledgements must find their way too.
    std::string text(setting("SIZE", transport == Transport::tcp ? 300'000 : 1'000), ' ');
    for (std::size_t i = 0; i < text.size(); i++)
        text[i] = static_cast<char>('a' + i * 7 % 23);
    return text;
}

UniqueFd open_socket(Transport transport, const Address& target)
{
    UniqueFd socket = bound_socket(transport == Transport::tcp ? SOCK_STREAM : SOCK_DGRAM,
                                   Address::any(target.family(), setting("CLIENT_PORT", 0)));
    if (transport == Transport::unconnected_udp)
        return socket;
    const timeval patience{static_cast<time_t>(setting("PATIENCE", 30)), 0};
    setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);  // for connect() as well
    if (connect(socket.get(), target.raw(), target.size) != 0)
        give_up("connect to " + target.text());
    Address shown;
    getpeername(socket.get(), shown.raw(), &shown.size);
    if (shown.text() != target.text()) {
        errno = EADDRNOTAVAIL;
        give_up("asked for " + target.text() + ", and getpeername shows " + shown.text());
    }
    return socket;
}

std::string exchange_stream(int socket, const std::string& sent)
{
    std::thread sender([&] {
        send_all(socket, sent);
        shutdown(socket, SHUT_WR);
    });
    std::string all;
    char part[16384];
    for (;;) {
        wait_readable(socket);
        const ssize_t got = read(socket, part, sizeof part);
        if (got <= 0)
            break;
        all.append(part, static_cast<std::size_t>(got));
    }
    sender.join();
    return all;
}

std::string exchange_datagram(int socket, const std::string& sent, Transport transport, const Address& target)
{
    const bool connected = transport == Transport::udp;
    if (sendto(socket, sent.data(), sent.size(), 0, connected ? nullptr : target.raw(), connected ? 0 : target.size) <
        0)
        give_up("send to " + target.text());
    wait_readable(socket);
    std::string answer(65536, '\0');
    Address from;
    const ssize_t got = recvfrom(socket, answer.data(), answer.size(), 0, from.raw(), &from.size);
    if (got < 0)
        give_up("receive from " + target.text());
    if (from.text() != target.text()) {
        errno = EADDRNOTAVAIL;
        give_up("asked " + target.text() + ", and recvfrom shows " + from.text());
    }
    answer.resize(static_cast<std::size_t>(got));
    return answer;
}

}  // namespace

int ask(Transport transport, const std::string& answer, const std::vector<Address>& targets)
{
    std::vector<UniqueFd> sockets;
    for (const Address& target : targets)
        sockets.push_back(open_socket(transport, target));
    const std::string sent = question(transport);
    int status = 0;
    for (std::size_t i = 0; i < targets.size(); i++) {
        const int socket = sockets[i].get();
        const std::string got = transport == Transport::tcp ? exchange_stream(socket, sent)
                                                            : exchange_datagram(socket, sent, transport, targets[i]);
        if (got == answer + '\n' + sent)
            continue;
        std::printf("%s: %zu bytes came back, from \"%s\"\n", targets[i].text().c_str(), got.size(),
                    got.substr(0, got.find('\n')).substr(0, 60).c_str());
        status = 1;
    }
    return status;
}

int talk(const Address& target)
{
    const UniqueFd socket = open_socket(Transport::tcp, target);
    std::string heard;
    const auto hear_line = [&] {
        while (heard.find('\n') == std::string::npos) {
            wait_readable(socket.get());
            char part[1024];
            const ssize_t got = read(socket.get(), part, sizeof part);
            if (got <= 0)
                give_up("the connection to " + target.text() + " ended");
            heard.append(part, static_cast<std::size_t>(got));
        }
        const std::string line = heard.substr(0, heard.find('\n'));
        heard.erase(0, line.size() + 1);
        return line;
    };

    std::cout << hear_line() << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
        send_all(socket.get(), line + '\n');
        std::cout << hear_line() << std::endl;
    }
    return 0;
}

int try_bind(int type, const Address& address, bool v6_only)
{
    const UniqueFd socket(::socket(address.family(), type, 0));
    const int only = v6_only ? 1 : 0;
    if (address.family() == AF_INET6)
        setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
    std::puts(bind(socket.get(), address.raw(), address.size) == 0 ? "bound" : strerrorname_np(errno));
    return 0;
}
