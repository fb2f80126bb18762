// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "netlink_set.hpp"

#include "netlink_attribute.hpp"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <tuple>

namespace sallyport::netlink {

namespace {

const Purpose list_sets{"list the sets of nftables", "compare `nft list ruleset`"};

struct NamedSet
{
    std::string name;
    Set set;
    bool has_ranges = false;
};

/// As the kernel lists it: the end of a range may be an element of its own, the first key behind it.
struct ListedElement
{
    SetElement element;
    bool is_end = false;
};

std::vector<std::byte> value_of(const nlattr* data)
{
    const auto bytes = bytes_of(inside(data, NFTA_DATA_VALUE));
    return {bytes.begin(), bytes.end()};
}

void read_set(nlmsghdr* message, std::vector<NamedSet>& sets)
{
    const std::uint32_t flags = number_of(find<nfgenmsg>(message, NFTA_SET_FLAGS));
    sets.push_back(
        {text_of(find<nfgenmsg>(message, NFTA_SET_NAME)),
         {.key_size = number_of(find<nfgenmsg>(message, NFTA_SET_KEY_LEN)), .is_map = (flags & NFT_SET_MAP) != 0},
         (flags & NFT_SET_INTERVAL) != 0});
}

ListedElement element_from(const nlattr* listed)
{
    const nlattr* data = inside(listed, NFTA_SET_ELEM_DATA);
    const nlattr* verdict = inside(data, NFTA_DATA_VERDICT);
    return {{.key = value_of(inside(listed, NFTA_SET_ELEM_KEY)),
             .last = value_of(inside(listed, NFTA_SET_ELEM_KEY_END)),
             .data = value_of(data),
             .verdict = number_of(inside(verdict, NFTA_VERDICT_CODE)),
             .chain = text_of(inside(verdict, NFTA_VERDICT_CHAIN))},
            (number_of(inside(listed, NFTA_SET_ELEM_FLAGS)) & NFT_SET_ELEM_INTERVAL_END) != 0};
}

void read_elements(nlmsghdr* message, std::vector<ListedElement>& elements)
{
    const nlattr* list = find<nfgenmsg>(message, NFTA_SET_ELEM_LIST_ELEMENTS);
    const nlattr* listed = nullptr;
    int left = 0;
    if (list)
        nla_for_each_nested(listed, list, left) elements.push_back(element_from(listed));
}

/// The number before, which is in network byte order.
std::vector<std::byte> before(std::vector<std::byte> key)
{
    for (auto byte = key.rbegin(); byte != key.rend(); ++byte) {
        const bool borrows = *byte == std::byte{0};
        *byte = borrows ? std::byte{0xff} : std::byte(std::to_integer<unsigned>(*byte) - 1);
        if (!borrows)
            break;
    }
    return key;
}

/// Each range as one element. One without an end goes on to the last key of all.
std::vector<SetElement> join_ranges(std::vector<ListedElement> listed)
{
    std::ranges::sort(listed, [](const ListedElement& a, const ListedElement& b) {
        return std::tie(a.element.key, b.is_end) < std::tie(b.element.key, a.is_end);  // an end before a beginning
    });
    std::vector<SetElement> elements;
    for (std::size_t i = 0; i < listed.size(); ++i) {
        if (listed[i].is_end)
            continue;
        SetElement& element = elements.emplace_back(std::move(listed[i].element));
        if (!element.key.empty() && element.last.empty())
            element.last = i + 1 < listed.size() && listed[i + 1].is_end
                               ? before(listed[i + 1].element.key)
                               : std::vector(element.key.size(), std::byte{0xff});
    }
    return elements;
}

std::vector<SetElement> elements_of(Conversation& kernel, unsigned char family, const std::string& table,
                                    const NamedSet& set)
{
    Message request = nftables_request(NFT_MSG_GETSETELEM, family);
    add_attribute(request, NFTA_SET_ELEM_LIST_TABLE, table);
    add_attribute(request, NFTA_SET_ELEM_LIST_SET, set.name);
    // ENOENT: it went meanwhile.
    auto listed = kernel.list<ListedElement>(list_sets, std::move(request), read_elements, ENOENT);
    if (set.has_ranges)
        return join_ranges(std::move(listed));
    std::vector<SetElement> elements;
    std::ranges::transform(listed, std::back_inserter(elements), &ListedElement::element);
    return elements;
}

}  // namespace

Message nftables_request(int what, unsigned char family)
{
    nfgenmsg header{};
    header.nfgen_family = family;
    header.version = NFNETLINK_V0;
    return make_message((NFNL_SUBSYS_NFTABLES << 8) | what, NLM_F_REQUEST | NLM_F_DUMP, header);
}

Sets read_sets(Conversation& kernel, unsigned char family, const std::string& table)
{
    Message request = nftables_request(NFT_MSG_GETSET, family);
    add_attribute(request, NFTA_SET_TABLE, table);
    Sets sets;
    for (NamedSet& named : kernel.list<NamedSet>(list_sets, std::move(request), read_set, ENOENT)) {
        named.set.elements = elements_of(kernel, family, table, named);
        sets[named.name] = std::move(named.set);
    }
    return sets;
}

}  // namespace sallyport::netlink
