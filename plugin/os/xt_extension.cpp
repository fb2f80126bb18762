// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "xt_extension.hpp"

#include <netinet/in.h>  // before the kernel's own headers

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/xt_TPROXY.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_state.h>
#include <linux/netfilter/xt_tcpudp.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

namespace sallyport {

namespace {

template <typename Info>
std::optional<Info> read(std::span<const std::byte> bytes)
{
    if (bytes.size() < sizeof(Info))
        return std::nullopt;
    Info info;
    std::memcpy(&info, bytes.data(), sizeof info);
    return info;
}

template <typename Info>
RuleCondition conntrack_condition(std::span<const std::byte> bytes)
{
    const auto info = read<Info>(bytes);
    constexpr int state_alone = XT_CONNTRACK_STATE | XT_CONNTRACK_STATE_ALIAS;  // the second: written as `-m state`
    if (!info || (info->match_flags & XT_CONNTRACK_STATE) == 0 || (info->match_flags & ~state_alone) != 0)
        return {};
    return connection_state(info->state_mask, (info->invert_flags & XT_CONNTRACK_STATE) != 0);
}

/// The part that xt_tcp and xt_udp have in common; `inverted`: the bit that says so of the destination's ports.
/// `asks_more`: of flags, options.
template <typename Info>
std::vector<RuleCondition> port_conditions(const Info& info, unsigned inverted, bool asks_more)
{
    std::vector<RuleCondition> conditions;
    if (info.dpts[0] != 0 || info.dpts[1] != 0xffff)
        conditions.push_back({.on = RuleCondition::On::port,
                              .inverted = (info.invflags & inverted) != 0,
                              .ports = {{info.dpts[0], info.dpts[1]}}});
    if (asks_more || info.spts[0] != 0 || info.spts[1] != 0xffff)
        conditions.emplace_back();
    return conditions;
}

std::optional<RuleCondition> multiport_condition(std::span<const std::byte> bytes)
{
    const auto info = read<xt_multiport_v1>(bytes);
    if (!info || info->flags != XT_MULTIPORT_DESTINATION || info->count > XT_MULTI_PORTS)
        return std::nullopt;
    RuleCondition condition{.on = RuleCondition::On::port, .inverted = info->invert != 0};
    for (int i = 0; i < info->count; ++i) {
        const bool begins_range = info->pflags[i] != 0 && i + 1 < info->count;
        condition.ports.push_back({info->ports[i], info->ports[i + (begins_range ? 1 : 0)]});
        i += begins_range ? 1 : 0;
    }
    return condition;
}

std::optional<RuleCondition> local_condition(std::span<const std::byte> bytes)
{
    const auto info = read<xt_addrtype_info_v1>(bytes);
    if (!info || info->source != 0 || info->dest != XT_ADDRTYPE_LOCAL ||
        (info->flags | XT_ADDRTYPE_INVERT_DEST) != XT_ADDRTYPE_INVERT_DEST)
        return std::nullopt;
    return RuleCondition{.on = RuleCondition::On::local, .inverted = info->flags != 0};
}

std::vector<RuleCondition> one(const std::optional<RuleCondition>& condition)
{
    return {condition.value_or(RuleCondition{})};
}

Address address_from(bool v4, const void* bytes)
{
    Address::Bytes all = Address::any_v4().bytes();
    std::memcpy(v4 ? all.data() + 12 : all.data(), bytes, v4 ? 4 : 16);
    return Address(all);
}

/// `range`: nf_nat_range, or its longer successor.
template <typename Range>
Destination destination_of(const Range& range, bool v4)
{
    Destination to;
    if ((range.flags & NF_NAT_RANGE_MAP_IPS) != 0)
        to.address = address_from(v4, &range.min_addr);
    if ((range.flags & NF_NAT_RANGE_PROTO_SPECIFIED) != 0)
        to.port = ntohs(range.min_proto.all);
    return to;
}

template <typename Range>
std::optional<Destination> read_range(std::span<const std::byte> info, bool v4)
{
    const auto range = read<Range>(info);
    return range ? std::optional(destination_of(*range, v4)) : std::nullopt;
}

/// The form of the oldest revisions for IPv4.
std::optional<Destination> read_v4_range(std::span<const std::byte> info)
{
    const auto ranges = read<nf_nat_ipv4_multi_range_compat>(info);
    if (!ranges)
        return std::nullopt;
    nf_nat_range range{};
    range.flags = ranges->range[0].flags;
    range.min_addr.ip = ranges->range[0].min_ip;
    range.min_proto = ranges->range[0].min;
    return destination_of(range, true);
}

std::optional<Destination> read_destination(std::string_view target, unsigned revision, bool v4,
                                            std::span<const std::byte> info)
{
    if (target == "TPROXY")
        return Destination{};  // a socket of the node
    if (target != "DNAT" && target != "REDIRECT")
        return std::nullopt;
    if (revision == 0 && v4)
        return read_v4_range(info);
    return revision == 2 ? read_range<nf_nat_range2>(info, v4) : read_range<nf_nat_range>(info, v4);
}

}  // namespace

RuleCondition connection_state(std::uint32_t bits, bool inverted)
{
    return {.on = RuleCondition::On::connection,
            .inverted = inverted,
            .opens = (bits & XT_CONNTRACK_STATE_BIT(IP_CT_NEW)) != 0,
            .answers = (bits & XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED)) != 0};
}

std::vector<RuleCondition> xt_conditions(std::string_view match, unsigned revision, std::span<const std::byte> info)
{
    if (match == "comment")
        return {};
    if (match == "conntrack" && revision == 1)
        return {conntrack_condition<xt_conntrack_mtinfo1>(info)};
    if (match == "conntrack" && revision == 2)
        return {conntrack_condition<xt_conntrack_mtinfo2>(info)};
    if (match == "conntrack" && revision == 3)
        return {conntrack_condition<xt_conntrack_mtinfo3>(info)};
    if (match == "state")
        if (const auto state = read<xt_state_info>(info))
            return {connection_state(state->statemask, false)};
    if (match == "tcp")
        if (const auto tcp = read<xt_tcp>(info))
            return port_conditions(*tcp, XT_TCP_INV_DSTPT, tcp->flg_mask != 0 || tcp->option != 0);
    if (match == "udp")
        if (const auto udp = read<xt_udp>(info))
            return port_conditions(*udp, XT_UDP_INV_DSTPT, false);
    if (match == "multiport" && revision == 1)
        return one(multiport_condition(info));
    if (match == "addrtype" && revision == 1)
        return one(local_condition(info));
    return {RuleCondition{}};
}

void xt_verdict(std::string_view target, unsigned revision, bool v4, std::span<const std::byte> info, FilterRule& rule)
{
    constexpr std::array<std::string_view, 24> going_on{
        "AUDIT", "CHECKSUM", "CLASSIFY",  "CONNMARK", "CONNSECMARK", "CT",   "DSCP",  "ECN",
        "HL",    "HMARK",    "IDLETIMER", "LED",      "LOG",         "MARK", "NFLOG", "NOTRACK",
        "SET",   "TEE",      "TCPMSS",    "TOS",      "TRACE",       "TTL",  "ULOG",  "SECMARK"};
    rule.target = target;
    if (target == "REJECT")
        rule.verdict = RuleVerdict::reject;
    else if (target == "DROP")
        rule.verdict = RuleVerdict::drop;
    else if (const auto to = read_destination(target, revision, v4, info)) {
        rule.verdict = RuleVerdict::translate;
        rule.to = *to;
    } else {
        rule.verdict = std::ranges::find(going_on, target) != going_on.end() ? RuleVerdict::none : RuleVerdict::unknown;
    }
}

}  // namespace sallyport
