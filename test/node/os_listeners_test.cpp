// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// read_host_listeners and find_socket_owner against the running kernel, with real sockets.
#include "os_support.hpp"

namespace sallyport {

namespace {

/// One line for a socket: `tcp 192.0.2.1 port 80, inode 1234`.
std::string text(Protocol protocol, const Address& address, HostPort port, bool v6_only, std::uint64_t inode)
{
    return std::string(name(protocol)) + " " + address.to_string() + (v6_only ? " (IPv6 only)" : "") + " port " +
           std::to_string(number(port)) + ", inode " + std::to_string(inode);
}

std::string listener(const UniqueFd& socket, const char* address, std::uint16_t port, Protocol protocol,
                     bool v6_only = false)
{
    return text(protocol, Address::parse(address).value(), HostPort{port}, v6_only, inode_of(socket));
}

std::vector<std::string> listeners()
{
    std::vector<std::string> texts;
    for (const HostListener& each : read_host_listeners())
        texts.push_back(text(each.protocol, each.address, each.port, each.v6_only, each.inode));
    std::ranges::sort(texts);
    return texts;
}

}  // namespace

// ---- read_host_listeners -----------------------------------------------------------------------------------------

TEST_CASE("listeners are the sockets that take what comes from anyone")
{
    const PrivateNetns netns;
    ip("link set lo up\naddr add 192.0.2.1/32 dev lo\naddr add 2001:db8::1/128 dev lo nodad\n");
    CHECK(listeners().empty());

    const UniqueFd any4 = bound(AF_INET, SOCK_STREAM, "0.0.0.0", 80);
    const UniqueFd one4 = bound(AF_INET, SOCK_STREAM, "192.0.2.1", 81);
    const UniqueFd dual = bound(AF_INET6, SOCK_STREAM, "::", 82);
    const UniqueFd only6 = bound(AF_INET6, SOCK_STREAM, "::", 83, true);
    const UniqueFd one6 = bound(AF_INET6, SOCK_STREAM, "2001:db8::1", 84);
    const UniqueFd mapped = bound(AF_INET6, SOCK_STREAM, "::ffff:192.0.2.1", 85);
    const UniqueFd udp4 = bound(AF_INET, SOCK_DGRAM, "0.0.0.0", 80);
    const UniqueFd udp_dual = bound(AF_INET6, SOCK_DGRAM, "::", 443);
    const UniqueFd udp_only6 = bound(AF_INET6, SOCK_DGRAM, "::", 444, true);
    // Neither connections nor connected datagram sockets count.
    const UniqueFd tcp_client = connected(SOCK_STREAM, "127.0.0.1", 80);
    const UniqueFd tcp_server(::accept4(any4.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const UniqueFd udp_client = connected(SOCK_DGRAM, "127.0.0.1", 80);

    std::vector<std::string> expected{
        listener(any4, "0.0.0.0", 80, Protocol::tcp),
        listener(one4, "192.0.2.1", 81, Protocol::tcp),
        listener(dual, "::", 82, Protocol::tcp),
        listener(only6, "::", 83, Protocol::tcp, true),
        listener(one6, "2001:db8::1", 84, Protocol::tcp, true),  // implied by its address
        listener(mapped, "192.0.2.1", 85, Protocol::tcp),
        listener(udp4, "0.0.0.0", 80, Protocol::udp),
        listener(udp_dual, "::", 443, Protocol::udp),
        listener(udp_only6, "::", 444, Protocol::udp, true),
    };
    std::ranges::sort(expected);
    CHECK(listeners() == expected);
}

TEST_CASE("hundreds of listeners come in several batches, each once")
{
    const PrivateNetns netns;
    std::vector<UniqueFd> sockets;
    for (std::uint16_t port = 10000; port < 10400; ++port) {
        sockets.push_back(bound(AF_INET6, SOCK_STREAM, "::", port));
        sockets.push_back(bound(AF_INET, SOCK_DGRAM, "0.0.0.0", port));
    }
    const std::vector<std::string> seen = listeners();
    CHECK(seen.size() == 800);
    CHECK(std::ranges::adjacent_find(seen) == seen.end());
}

// ---- find_socket_owner -------------------------------------------------------------------------------------------

TEST_CASE("the process that holds a socket is named")
{
    const PrivateNetns netns;
    UniqueFd socket = bound(AF_INET, SOCK_STREAM, "0.0.0.0", 80);
    const std::uint64_t inode = inode_of(socket);
    Child server([] { ::prctl(PR_SET_NAME, "gate\xffway"); });
    CHECK(find_socket_owner(inode).value().pid == ::getpid());  // of parent and child, the parent

    socket = UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    CHECK(inode_of(socket) != inode);
}

TEST_CASE("a name that isn't text is made one, and nobody's socket has no owner")
{
    const PrivateNetns netns;
    std::uint64_t inode = 0;
    std::optional<Child> server;
    {
        const UniqueFd socket = bound(AF_INET, SOCK_STREAM, "0.0.0.0", 80);
        inode = inode_of(socket);
        server.emplace([] { ::prctl(PR_SET_NAME, "gate\xffway"); });
    }
    const Process owner = find_socket_owner(inode).value();
    CHECK(owner.pid == server->pid());
    CHECK(owner.name == "gate?way");

    server->kill();
    CHECK_FALSE(find_socket_owner(inode));
    CHECK_FALSE(find_socket_owner(0));
}

}  // namespace sallyport
