// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "listener.hpp"

#include "sallyport/error.hpp"
#include "sallyport/exposure.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sallyport::web {

namespace {

/// A client's request fits, and is read at once; what it sends after that needn't be kept.
constexpr int receive_buffer = 16 * 1024;
/// Times the number of connections, this is what slow readers can hold of the kernel's memory.
constexpr int send_buffer = 64 * 1024;
constexpr int backlog = 512;

std::optional<Address> parse_host(std::string_view text)
{
    const bool brackets = text.size() >= 2 && text.front() == '[' && text.back() == ']';
    const auto address = Address::parse(brackets ? text.substr(1, text.size() - 2) : text);
    return address && address->is_v4() == !brackets ? address : std::nullopt;
}

std::string text_of(const ListenAddress& where)
{
    return (where.address ? bracketed(*where.address) : "") + ":" + std::to_string(where.port);
}

[[noreturn]] void refuse(const ListenAddress& where, int error)
{
    const std::string port = std::to_string(where.port);
    std::string advice = "; see --listen";
    if (error == EADDRINUSE)
        advice = ": another process has that port (`ss -ltnp 'sport = :" + port +
                 "'` on the node names it); end it, or give another one by --listen";
    else if (error == EADDRNOTAVAIL)
        advice = ": no device of this node has that address; give another one by --listen";
    else if (error == EACCES)
        advice = ": a port below 1024 needs CAP_NET_BIND_SERVICE; give another one by --listen";
    throw Error(Code::node_lacks, "listen on " + text_of(where) + ": " + errno_text(error) + advice);
}

UniqueFd make_socket(int family)
{
    return UniqueFd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

void set(const UniqueFd& socket, int level, int option, int value)
{
    setsockopt(socket.get(), level, option, &value, sizeof value);
}

/// bind() or connect().
using Naming = int (*)(int, const sockaddr*, socklen_t);

int name_v4(Naming naming, const UniqueFd& socket, const ListenAddress& where)
{
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(where.port);
    if (where.address)
        std::memcpy(&name.sin_addr, where.address->bytes().data() + 12, 4);
    return naming(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name);
}

int name_v6(Naming naming, const UniqueFd& socket, const ListenAddress& where)
{
    sockaddr_in6 name{};
    name.sin6_family = AF_INET6;
    name.sin6_port = htons(where.port);
    if (where.address)
        std::memcpy(&name.sin6_addr, where.address->bytes().data(), 16);
    return naming(socket.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name);
}

int name(Naming naming, const UniqueFd& socket, const ListenAddress& where, bool v6)
{
    return v6 ? name_v6(naming, socket, where) : name_v4(naming, socket, where);
}

}  // namespace

ListenAddress parse_listen(std::string_view text)
{
    const std::size_t colon = text.rfind(':');
    if (colon != std::string_view::npos) {
        const std::string_view host = text.substr(0, colon);
        const std::string_view digits = text.substr(colon + 1);
        const auto address = parse_host(host);
        const auto port = digits == "0" ? std::optional<std::uint16_t>(0) : parse_port(digits);
        if (port && (host.empty() || address))
            return {address, *port};
    }
    throw Error(Code::invalid_environment, in_quotes(text) +
                                               " is no address; write `:9465` for all addresses, `192.0.2.1:9465` or "
                                               "`[::1]:9465`");
}

UniqueFd listen_on(const ListenAddress& where)
{
    bool v6 = !where.address || !where.address->is_v4();
    UniqueFd socket = make_socket(v6 ? AF_INET6 : AF_INET);
    if (!socket && !where.address && errno == EAFNOSUPPORT) {  // a kernel without IPv6
        v6 = false;
        socket = make_socket(AF_INET);
    }
    if (!socket)
        refuse(where, errno);
    set(socket, SOL_SOCKET, SO_REUSEADDR, 1);
    set(socket, SOL_SOCKET, SO_RCVBUF, receive_buffer);  // these two are handed on to each connection
    set(socket, SOL_SOCKET, SO_SNDBUF, send_buffer);
    if (v6)
        set(socket, IPPROTO_IPV6, IPV6_V6ONLY, where.address ? 1 : 0);
    if (name(::bind, socket, where, v6) != 0 || listen(socket.get(), backlog) != 0)
        refuse(where, errno);
    return socket;
}

UniqueFd begin_to_connect(const ListenAddress& where)
{
    const ListenAddress target{where.address.value_or(*Address::parse("127.0.0.1")), where.port};
    const bool v6 = !target.address->is_v4();
    UniqueFd socket = make_socket(v6 ? AF_INET6 : AF_INET);
    if (!socket || (name(::connect, socket, target, v6) != 0 && errno != EINPROGRESS))
        throw Error(Code::io_failure, "connect: " + errno_text(errno));
    return socket;
}

std::uint16_t port_of(const UniqueFd& listener)
{
    sockaddr_in6 name{};  // the port is at the same place in both families
    socklen_t size = sizeof name;
    getsockname(listener.get(), reinterpret_cast<sockaddr*>(&name), &size);
    return ntohs(name.sin6_port);
}

}  // namespace sallyport::web
