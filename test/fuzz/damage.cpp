// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "generator.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <array>

namespace sallyport::fuzz {
namespace {

bool is_v6(const Bytes& frame)
{
    return frame.size() > 13 && frame[12] == 0x86 && frame[13] == 0xdd;
}

/// Headers are what is worth hitting.
std::size_t some_place(const Bytes& frame, Dice& dice)
{
    const std::size_t headers = std::min<std::size_t>(frame.size(), 120);
    return dice.chance(90) ? ethernet - 2 + dice.below(headers - ethernet + 2) : dice.below(frame.size());
}

void flip_bits(Bytes& frame, Dice& dice)
{
    for (std::size_t count = 1 + dice.below(4); count > 0; count--)
        frame[some_place(frame, dice)] ^= static_cast<std::uint8_t>(1U << dice.below(8));
}

void set_edge(Bytes& frame, Dice& dice)
{
    constexpr std::array<std::uint8_t, 8> edges{0, 1, 0x7f, 0x80, 0xff, 0xfe, 4, 8};
    frame[some_place(frame, dice)] = dice.pick(edges);
}

void cut(Bytes& frame, Dice& dice)
{
    frame.resize(dice.chance(70) ? dice.below(std::min<std::size_t>(frame.size(), 130)) : dice.below(frame.size()));
}

void extend(Bytes& frame, Dice& dice)
{
    for (std::size_t count = dice.below(64); count > 0; count--)
        frame.push_back(dice.byte());
}

/// Total length (IPv4) or payload length (IPv6): 0, short, long, or anything.
void lie_about_length(Bytes& frame, Dice& dice)
{
    const std::size_t at = ethernet + (is_v6(frame) ? 4 : 2);
    if (at + 2 > frame.size())
        return;
    frame[at] = dice.chance(70) ? 0 : dice.byte();
    frame[at + 1] = dice.byte();
    if (dice.chance(50))
        mend_ipv4_header(frame);
}

void lie_about_header(Bytes& frame, Dice& dice)
{
    const bool version = dice.chance(20);
    if (frame.size() <= ethernet)
        return;
    frame[ethernet] = static_cast<std::uint8_t>(version ? dice.byte() : (frame[ethernet] & 0xf0U) | dice.below(16));
    if (dice.chance(50))
        mend_ipv4_header(frame);
}

/// The protocol of an IPv4 packet, or of an IPv6 packet's first header: what the bytes behind it mean.
void change_protocol(Bytes& frame, Dice& dice)
{
    constexpr std::array<std::uint8_t, 13> protocols{
        IPPROTO_TCP,      IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS,
        IPPROTO_FRAGMENT, IPPROTO_AH,  IPPROTO_ESP,  IPPROTO_IPIP,   IPPROTO_NONE,    IPPROTO_SCTP};
    const std::size_t at = ethernet + (is_v6(frame) ? 6 : 9);
    if (at >= frame.size())
        return;
    frame[at] = dice.pick(protocols);
    if (dice.chance(50))
        mend_ipv4_header(frame);
}

void change_fragment_field(Bytes& frame, Dice& dice)
{
    const std::size_t at = ethernet + 6;
    if (is_v6(frame) || at + 2 > frame.size())
        return;
    frame[at] = dice.byte();
    frame[at + 1] = dice.chance(50) ? 0 : dice.byte();
    if (dice.chance(70))
        mend_ipv4_header(frame);
}

/// The data offset of TCP, or the length of UDP, where the packet has no options.
void lie_in_transport_header(Bytes& frame, Dice& dice)
{
    const std::size_t l4 = ethernet + (is_v6(frame) ? 40 : 20);
    const std::size_t at = l4 + (dice.chance(50) ? 12 : 4 + dice.below(2));
    if (at < frame.size())
        frame[at] = dice.byte();
}

/// IPv6: another header before the first, which may claim any length, itself and its neighbours included; over and
/// over.
void stack_headers(Bytes& frame, Dice& dice)
{
    constexpr std::array<std::uint8_t, 5> types{IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS, IPPROTO_AH,
                                                IPPROTO_FRAGMENT};
    if (!is_v6(frame) || frame.size() < ethernet + 40)
        return;
    for (std::size_t count = 1 + dice.below(12); count > 0; count--) {
        Bytes header(8);
        header[0] = frame[ethernet + 6];
        header[1] = dice.chance(70) ? 0 : dice.byte();
        if (dice.chance(20))
            header[3] = dice.byte();
        frame[ethernet + 6] = dice.pick(types);
        frame.insert(frame.begin() + ethernet + 40, header.begin(), header.end());
    }
}

void change_frame_type(Bytes& frame, Dice& dice)
{
    constexpr std::array<std::uint16_t, 7> types{0x0800, 0x86dd, 0x0806, 0x8100, 0x88a8, 0x8864, 0x8847};
    if (frame.size() < ethernet)
        return;
    const std::uint16_t type = dice.pick(types);
    if (dice.chance(50)) {  // a VLAN tag before what is there (IEEE 802.1Q)
        const Bytes tag{static_cast<std::uint8_t>(dice.chance(50) ? 0x81 : 0x88), 0xa8, 0, dice.byte()};
        frame.insert(frame.begin() + 12, tag.begin(), tag.end());
        frame[13] = frame[12] == 0x81 ? 0 : 0xa8;
        return;
    }
    frame[12] = static_cast<std::uint8_t>(type >> 8);
    frame[13] = static_cast<std::uint8_t>(type);
}

void splice(Bytes& frame, const Bytes& other, Dice& dice)
{
    const std::size_t from = dice.below(std::min(frame.size(), other.size()));
    const std::size_t end = from + dice.below(std::min(frame.size(), other.size()) - from);
    std::copy(other.begin() + static_cast<std::ptrdiff_t>(from), other.begin() + static_cast<std::ptrdiff_t>(end),
              frame.begin() + static_cast<std::ptrdiff_t>(from));
}

void repeat_part(Bytes& frame, Dice& dice)
{
    const std::size_t from = dice.below(frame.size());
    const Bytes part(frame.begin() + static_cast<std::ptrdiff_t>(from),
                     frame.begin() + static_cast<std::ptrdiff_t>(std::min(frame.size(), from + dice.below(64))));
    frame.insert(frame.begin() + static_cast<std::ptrdiff_t>(from), part.begin(), part.end());
}

}  // namespace

void damage(Bytes& frame, const Bytes& other, Dice& dice)
{
    if (frame.size() <= ethernet)
        return;
    switch (dice.below(14)) {
    case 0:
    case 1:
        return flip_bits(frame, dice);
    case 2:
        return set_edge(frame, dice);
    case 3:
        return cut(frame, dice);
    case 4:
        return extend(frame, dice);
    case 5:
        return lie_about_length(frame, dice);
    case 6:
        return lie_about_header(frame, dice);
    case 7:
        return change_protocol(frame, dice);
    case 8:
        return change_fragment_field(frame, dice);
    case 9:
        return lie_in_transport_header(frame, dice);
    case 10:
        return stack_headers(frame, dice);
    case 11:
        return change_frame_type(frame, dice);
    case 12:
        return splice(frame, other, dice);
    default:
        return repeat_part(frame, dice);
    }
}

}  // namespace sallyport::fuzz
