// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "xt_extension.hpp"

#include <netinet/in.h>  // before the kernel's own headers

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_state.h>

#include <algorithm>
#include <array>
#include <cstring>

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

}  // namespace

RuleCondition connection_state(std::uint32_t bits, bool inverted)
{
    return {.on = RuleCondition::On::connection,
            .inverted = inverted,
            .opens = (bits & XT_CONNTRACK_STATE_BIT(IP_CT_NEW)) != 0,
            .answers = (bits & XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED)) != 0};
}

std::optional<RuleCondition> xt_condition(std::string_view match, unsigned revision, std::span<const std::byte> info)
{
    if (match == "comment")
        return std::nullopt;
    if (match == "conntrack" && revision == 1)
        return conntrack_condition<xt_conntrack_mtinfo1>(info);
    if (match == "conntrack" && revision == 2)
        return conntrack_condition<xt_conntrack_mtinfo2>(info);
    if (match == "conntrack" && revision == 3)
        return conntrack_condition<xt_conntrack_mtinfo3>(info);
    if (match == "state")
        if (const auto state = read<xt_state_info>(info))
            return connection_state(state->statemask, false);
    return RuleCondition{};
}

RuleVerdict xt_verdict(std::string_view target)
{
    constexpr std::array<std::string_view, 24> going_on{
        "AUDIT", "CHECKSUM", "CLASSIFY",  "CONNMARK", "CONNSECMARK", "CT",   "DSCP",  "ECN",
        "HL",    "HMARK",    "IDLETIMER", "LED",      "LOG",         "MARK", "NFLOG", "NOTRACK",
        "SET",   "TEE",      "TCPMSS",    "TOS",      "TRACE",       "TTL",  "ULOG",  "SECMARK"};
    if (target == "REJECT")
        return RuleVerdict::reject;
    if (target == "DROP")
        return RuleVerdict::drop;
    return std::find(going_on.begin(), going_on.end(), target) != going_on.end() ? RuleVerdict::none
                                                                                 : RuleVerdict::unknown;
}

}  // namespace sallyport
