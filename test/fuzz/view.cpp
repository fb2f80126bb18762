// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "view.hpp"

#include <netinet/in.h>

#include <algorithm>

namespace sallyport::fuzz {
namespace {

class Reader
{
public:
    explicit Reader(const Bytes& frame) : frame_(frame) {}

    bool has(std::size_t at, std::size_t size) const { return at + size <= frame_.size(); }
    unsigned byte(std::size_t at) const { return frame_[at]; }
    unsigned word(std::size_t at) const { return byte(at) << 8 | byte(at + 1); }

    IpAddress address(std::size_t at, bool v6) const
    {
        IpAddress address{};
        if (!v6)
            address[10] = address[11] = 0xff;
        const std::size_t size = v6 ? 16 : 4;
        std::copy_n(frame_.begin() + static_cast<std::ptrdiff_t>(at), size, address.end() - size);
        return address;
    }

private:
    const Bytes& frame_;
};

/// RFC 791, 3.1
std::optional<IpView> read_ipv4(const Reader& in, std::size_t at)
{
    if (!in.has(at, 20) || in.byte(at) >> 4 != 4 || (in.byte(at) & 15) < 5)
        return std::nullopt;
    IpView ip;
    ip.l3 = at;
    ip.l4 = at + (in.byte(at) & 15) * 4;
    ip.protocol = static_cast<std::uint8_t>(in.byte(at + 9));
    ip.fragment = (in.word(at + 6) & 0x3fff) != 0;
    ip.later_fragment = (in.word(at + 6) & 0x1fff) != 0;
    ip.fragment_id = in.word(at + 4);
    return in.has(at, ip.l4 - at) ? std::optional(ip) : std::nullopt;
}

/// RFC 8200, 4: one header after the other, for as long as there are any.
bool walk_extension_headers(const Reader& in, IpView& ip)
{
    while (!ip.later_fragment) {
        const std::uint8_t type = ip.protocol;
        if (type != IPPROTO_HOPOPTS && type != IPPROTO_ROUTING && type != IPPROTO_DSTOPTS && type != IPPROTO_AH &&
            type != IPPROTO_FRAGMENT)
            return true;
        if (!in.has(ip.l4, 8))
            return false;
        if (type == IPPROTO_ROUTING && in.byte(ip.l4 + 3) != 0)
            return false;  // on its way to a waypoint
        std::size_t size = (in.byte(ip.l4 + 1) + 1) * 8;
        if (type == IPPROTO_AH)
            size = (in.byte(ip.l4 + 1) + 2) * 4;
        if (type == IPPROTO_FRAGMENT) {
            size = 8;
            ip.fragment = ip.fragment || (in.word(ip.l4 + 2) & 0xfff9) != 0;
            ip.later_fragment = (in.word(ip.l4 + 2) & 0xfff8) != 0;
            ip.fragment_id = in.word(ip.l4 + 4) << 16 | in.word(ip.l4 + 6);
        }
        ip.protocol = static_cast<std::uint8_t>(in.byte(ip.l4));
        ip.l4 += size;
    }
    return true;
}

bool is_v4_mapped(const IpAddress& address)
{
    return std::all_of(address.begin(), address.begin() + 10, [](std::uint8_t byte) { return byte == 0; }) &&
           address[10] == 0xff && address[11] == 0xff;
}

std::optional<IpView> read_ipv6(const Reader& in, std::size_t at)
{
    if (!in.has(at, 40) || in.byte(at) >> 4 != 6)
        return std::nullopt;
    IpView ip;
    ip.v6 = true;
    ip.l3 = at;
    ip.l4 = at + 40;
    ip.protocol = static_cast<std::uint8_t>(in.byte(at + 6));
    // RFC 4291 knows IPv4-mapped addresses in sockets only; on the wire they are nobody's.
    if (is_v4_mapped(in.address(at + 8, true)) || is_v4_mapped(in.address(at + 24, true)))
        return std::nullopt;
    return walk_extension_headers(in, ip) ? std::optional(ip) : std::nullopt;
}

bool translatable(std::uint8_t protocol)
{
    return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP;
}

/// Ports count where the whole transport header is there; in what an ICMP error carries, where they themselves are.
std::optional<IpView> read_ip(const Reader& in, std::size_t at, bool v6, bool whole_header)
{
    std::optional<IpView> ip = v6 ? read_ipv6(in, at) : read_ipv4(in, at);
    if (!ip)
        return std::nullopt;
    ip->tuple = {ip->protocol, {in.address(ip->source_at(), v6), 0}, {in.address(ip->destination_at(), v6), 0}};
    if (ip->later_fragment || !translatable(ip->protocol))
        return ip;
    const std::size_t header = !whole_header ? 4 : ip->protocol == IPPROTO_TCP ? 20 : 8;
    if (!in.has(ip->l4, header))
        return ip;
    if (whole_header && ip->protocol == IPPROTO_TCP && in.byte(ip->l4 + 12) >> 4 < 5)
        return ip;
    ip->has_ports = true;
    ip->tuple.source.port = static_cast<std::uint16_t>(in.word(ip->l4));
    ip->tuple.destination.port = static_cast<std::uint16_t>(in.word(ip->l4 + 2));
    return ip;
}

/// RFC 792, RFC 4443, 2.1: the messages that carry the packet they are about. Redirects are for hosts on the same link.
bool is_icmp_error(const Reader& in, const IpView& ip)
{
    if (ip.protocol != (ip.v6 ? int{IPPROTO_ICMPV6} : int{IPPROTO_ICMP}) || !in.has(ip.l4, 8))
        return false;
    const unsigned type = in.byte(ip.l4);
    return ip.v6 ? type >= 1 && type <= 4 : type == 3 || type == 4 || type == 11 || type == 12;
}

}  // namespace

View view_of(const Bytes& frame)
{
    const Reader in(frame);
    View view;
    if (!in.has(0, ethernet) || (in.word(12) != 0x0800 && in.word(12) != 0x86dd))
        return view;
    const bool v6 = in.word(12) == 0x86dd;
    const std::optional<IpView> outer = read_ip(in, ethernet, v6, true);
    if (!outer)
        return view;
    view.outer = *outer;
    if (outer->later_fragment) {
        // Under IPv6 this is the protocol of what the fragments' first begins with, which may be options.
        view.shape = v6 || translatable(outer->protocol) ? Shape::later_fragment : Shape::nothing;
    } else if (outer->has_ports) {
        view.shape = Shape::transport;
    } else if (is_icmp_error(in, *outer)) {
        const std::optional<IpView> inner = read_ip(in, outer->l4 + 8, v6, false);
        if (inner && inner->has_ports) {
            view.inner = *inner;
            view.shape = Shape::icmp_error;
        }
    }
    return view;
}

std::optional<std::size_t> checksum_at(const Bytes& frame, const IpView& ip)
{
    const std::size_t at = ip.l4 + (ip.protocol == IPPROTO_TCP ? 16 : 6);
    return at + 2 <= frame.size() ? std::optional(at) : std::nullopt;
}

}  // namespace sallyport::fuzz
