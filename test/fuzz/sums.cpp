// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sums.hpp"

#include <netinet/in.h>

namespace sallyport::fuzz {
namespace {

unsigned sum(const Bytes& frame, std::size_t begin, std::size_t end)
{
    std::uint64_t total = 0;
    for (std::size_t at = begin; at < end; at++)
        total += (at - begin) % 2 == 0 ? std::uint64_t{frame[at]} << 8 : frame[at];
    return static_cast<unsigned>(total % 0xffff);
}

unsigned sum_of_addresses(const Bytes& frame, const IpView& ip)
{
    return sum(frame, ip.source_at(), ip.destination_at() + ip.address_size());
}

Sum transport_sum(const Bytes& frame, const IpView& ip, std::size_t checksum, const std::string& what)
{
    if (ip.protocol == IPPROTO_UDP && frame[checksum] == 0 && frame[checksum + 1] == 0)
        return {what, 0, true};
    return {what, (sum_of_addresses(frame, ip) + sum(frame, ip.l4, frame.size())) % 0xffff, false};
}

void allow(std::vector<bool>& bytes, std::size_t at, std::size_t size)
{
    for (std::size_t i = at; i < at + size && i < bytes.size(); i++)
        bytes[i] = true;
}

void allow_header(std::vector<bool>& bytes, const IpView& ip)
{
    allow(bytes, ip.source_at(), 2 * ip.address_size());
    if (!ip.v6)
        allow(bytes, ip.l3 + 10, 2);
}

void allow_transport(std::vector<bool>& bytes, const Bytes& frame, const IpView& ip)
{
    allow(bytes, ip.l4, 4);
    if (const auto checksum = checksum_at(frame, ip))
        allow(bytes, *checksum, 2);
}

}  // namespace

std::vector<Sum> sums_of(const Bytes& frame, const View& view)
{
    std::vector<Sum> sums;
    if (!view.outer.v6)
        sums.push_back({"the IPv4 header's", sum(frame, view.outer.l3, view.outer.l4)});
    if (view.shape == Shape::transport)
        sums.push_back(transport_sum(frame, view.outer, *checksum_at(frame, view.outer), "the transport header's"));
    if (view.shape != Shape::icmp_error)
        return sums;

    const unsigned icmp = sum(frame, view.outer.l4, frame.size());
    const unsigned pseudo_header = view.outer.v6 ? sum_of_addresses(frame, view.outer) : 0;
    sums.push_back({"the ICMP message's", (icmp + pseudo_header) % 0xffff});
    if (!view.inner.v6)
        sums.push_back({"the embedded IPv4 header's", sum(frame, view.inner.l3, view.inner.l4)});
    if (const auto checksum = checksum_at(frame, view.inner))
        sums.push_back(transport_sum(frame, view.inner, *checksum, "the embedded transport header's"));
    return sums;
}

std::vector<bool> changeable(const Bytes& frame, const View& view)
{
    std::vector<bool> bytes(frame.size(), false);
    if (view.shape == Shape::nothing)
        return bytes;
    allow_header(bytes, view.outer);
    if (view.shape == Shape::transport)
        allow_transport(bytes, frame, view.outer);
    if (view.shape == Shape::icmp_error) {
        allow(bytes, view.outer.l4 + 2, 2);
        allow_header(bytes, view.inner);
        allow_transport(bytes, frame, view.inner);
    }
    return bytes;
}

}  // namespace sallyport::fuzz
