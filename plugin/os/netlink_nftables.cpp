// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// read_nftables(), of netfilter.hpp. By libnl, which we have: libnftnl's archive needs libmnl, of which Debian ships
// none.
#include "netlink_attribute.hpp"
#include "netlink_rule.hpp"
#include "netlink_set.hpp"
#include "netlink_socket.hpp"

#include "sallyport/os/netfilter.hpp"
#include "sallyport/os/unique_fd.hpp"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace sallyport {
namespace {

using namespace netlink;

const Purpose list_rules{"list the rules of nftables", "compare `nft list ruleset`"};

std::optional<FilterFamily> family_from(unsigned char family)
{
    switch (family) {
    case NFPROTO_IPV4:
        return FilterFamily::v4;
    case NFPROTO_IPV6:
        return FilterFamily::v6;
    case NFPROTO_INET:
        return FilterFamily::both;
    default:
        return std::nullopt;  // bridge, arp, netdev
    }
}

unsigned char number_of(FilterFamily family)
{
    return family == FilterFamily::v4 ? NFPROTO_IPV4 : family == FilterFamily::v6 ? NFPROTO_IPV6 : NFPROTO_INET;
}

std::optional<FilterBase> base_from(nlmsghdr* message)
{
    const nlattr* hook = find<nfgenmsg>(message, NFTA_CHAIN_HOOK);
    const nlattr* policy = find<nfgenmsg>(message, NFTA_CHAIN_POLICY);
    if (!hook)
        return std::nullopt;
    const std::uint32_t number = netlink::number_of(inside(hook, NFTA_HOOK_HOOKNUM));
    if (number > NF_INET_POST_ROUTING)
        return std::nullopt;  // inet's ingress
    return FilterBase{static_cast<FilterHook>(number), policy && netlink::number_of(policy) == NF_DROP};
}

void read_chain(nlmsghdr* message, std::vector<FilterChain>& chains)
{
    const auto* header = header_of<nfgenmsg>(message);
    const auto family = header ? family_from(header->nfgen_family) : std::nullopt;
    if (!family)
        return;
    FilterChain chain;
    chain.family = *family;
    chain.table = text_of(find<nfgenmsg>(message, NFTA_CHAIN_TABLE));
    chain.name = text_of(find<nfgenmsg>(message, NFTA_CHAIN_NAME));
    chain.base = base_from(message);
    chains.push_back(std::move(chain));
}

struct PlacedRule
{
    std::string chain;
    std::vector<FilterRule> rules;  ///< what it is here
};

bool kernel_has_nfnetlink()
{
    const UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
    return socket || errno != EPROTONOSUPPORT;
}

void add_rules(Conversation& kernel, FilterFamily family, const std::string& table, std::vector<FilterChain>& chains)
{
    const Sets sets = read_sets(kernel, number_of(family), table);
    Message request = nftables_request(NFT_MSG_GETRULE, number_of(family));
    add_attribute(request, NFTA_RULE_TABLE, table);
    std::map<std::string, FilterChain*> by_name;
    for (FilterChain& chain : chains)
        if (chain.family == family && chain.table == table)
            by_name[chain.name] = &chain;
    const auto read = [&](nlmsghdr* message, std::vector<PlacedRule>& rules) {
        rules.push_back({text_of(find<nfgenmsg>(message, NFTA_RULE_CHAIN)),
                         read_rule(family, find<nfgenmsg>(message, NFTA_RULE_EXPRESSIONS), sets)});
    };
    std::map<std::string, std::size_t> numbers;
    for (PlacedRule& placed : kernel.list<PlacedRule>(list_rules, std::move(request), read)) {
        const auto found = by_name.find(placed.chain);
        if (found == by_name.end())
            continue;
        const std::size_t number = ++numbers[placed.chain];
        for (FilterRule& rule : placed.rules) {
            rule.number = number;
            found->second->rules.push_back(std::move(rule));
        }
    }
}

}  // namespace

std::vector<FilterChain> read_nftables(std::optional<FilterHook> hook)
{
    if (!kernel_has_nfnetlink())
        return {};
    Conversation kernel(NETLINK_NETFILTER);
    // EINVAL: this kernel has no nftables.
    std::vector<FilterChain> chains =
        kernel.list<FilterChain>(list_rules, nftables_request(NFT_MSG_GETCHAIN, NFPROTO_UNSPEC), read_chain, EINVAL);
    std::set<std::pair<FilterFamily, std::string>> tables;
    for (const FilterChain& chain : chains)
        if (!hook || (chain.base && chain.base->hook == *hook))
            tables.emplace(chain.family, chain.table);
    std::erase_if(chains, [&](const FilterChain& chain) { return !tables.contains({chain.family, chain.table}); });
    for (const auto& [family, table] : tables)
        add_rules(kernel, family, table, chains);
    return chains;
}

}  // namespace sallyport
