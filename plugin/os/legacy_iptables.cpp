// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// read_legacy_iptables(), of netfilter.hpp. The kernel hands out a table as one block: entries one behind the other,
// each a fixed part, its matches and its target; jumps are offsets into it. No library for that is to be had as an
// archive.
#include "unchanged.hpp"
#include "xt_extension.hpp"

#include "sallyport/error.hpp"
#include "sallyport/os/netfilter.hpp"
#include "sallyport/os/unique_fd.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>  // before the kernel's own headers

#include <linux/netfilter/x_tables.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>

namespace sallyport {
namespace {

using On = RuleCondition::On;
using Block = std::vector<std::byte>;

struct V4
{
    using Entry = ipt_entry;
    using Info = ipt_getinfo;
    using Entries = ipt_get_entries;
    static constexpr FilterFamily family = FilterFamily::v4;
    static constexpr int socket_family = AF_INET;
    static constexpr int level = IPPROTO_IP;
    static constexpr int get_info = IPT_SO_GET_INFO;
    static constexpr int get_entries = IPT_SO_GET_ENTRIES;
    static constexpr const char* tables = "/proc/net/ip_tables_names";
    static constexpr const char* command = "iptables-legacy";
    static const auto& packet(const Entry& entry) { return entry.ip; }
    static constexpr unsigned prefix_start = 96;
    static constexpr std::uint8_t go_to = IPT_F_GOTO;
    static constexpr std::uint8_t heeds_protocol = 0;
};

struct V6
{
    using Entry = ip6t_entry;
    using Info = ip6t_getinfo;
    using Entries = ip6t_get_entries;
    static constexpr FilterFamily family = FilterFamily::v6;
    static constexpr int socket_family = AF_INET6;
    static constexpr int level = IPPROTO_IPV6;
    static constexpr int get_info = IP6T_SO_GET_INFO;
    static constexpr int get_entries = IP6T_SO_GET_ENTRIES;
    static constexpr const char* tables = "/proc/net/ip6_tables_names";
    static constexpr const char* command = "ip6tables-legacy";
    static const auto& packet(const Entry& entry) { return entry.ipv6; }
    static constexpr unsigned prefix_start = 0;
    static constexpr std::uint8_t go_to = IP6T_F_GOTO;
    static constexpr std::uint8_t heeds_protocol = IP6T_F_PROTO;
};

template <typename Part>
Part part_at(const Block& block, std::size_t offset)
{
    Part part{};
    if (offset + sizeof part <= block.size())
        std::memcpy(&part, block.data() + offset, sizeof part);
    return part;
}

/// A name and its mask, whose last set byte is the name's end for an exact one, and lies before it for a beginning.
void add_device(On on, const char (&name)[IFNAMSIZ], const unsigned char (&mask)[IFNAMSIZ], bool inverted,
                FilterRule& rule)
{
    const auto length = static_cast<std::size_t>(std::count(std::begin(mask), std::end(mask), 0xff));
    if (length == 0)
        return;
    const std::string given(name, ::strnlen(name, length));
    rule.conditions.push_back({.on = on, .inverted = inverted, .device = given.size() < length ? given : given + '+'});
}

template <typename Address4Or6>
void add_prefix(On on, unsigned start, const Address4Or6& address, const Address4Or6& mask, bool inverted,
                FilterRule& rule)
{
    std::array<std::uint8_t, sizeof mask> ones{};
    std::memcpy(ones.data(), &mask, sizeof mask);
    unsigned length = 0;
    while (length < ones.size() * 8 && (ones[length / 8] & (0x80 >> length % 8)) != 0)
        ++length;
    if (length == 0 && std::all_of(ones.begin(), ones.end(), [](std::uint8_t byte) { return byte == 0; }))
        return;
    Address::Bytes bytes = start == 0 ? Address::any_v6().bytes() : Address::any_v4().bytes();
    std::memcpy(bytes.data() + start / 8, &address, sizeof address);
    rule.conditions.push_back({.on = on, .inverted = inverted, .prefix = {Address(bytes), start + length}});
}

template <typename Version>
void read_packet_part(const typename Version::Entry& entry, FilterRule& rule)
{
    const auto& packet = Version::packet(entry);
    const auto inverted = [&](int flag) { return (packet.invflags & flag) != 0; };
    add_prefix(On::source, Version::prefix_start, packet.src, packet.smsk, inverted(IPT_INV_SRCIP), rule);
    add_prefix(On::destination, Version::prefix_start, packet.dst, packet.dmsk, inverted(IPT_INV_DSTIP), rule);
    add_device(On::in_device, packet.iniface, packet.iniface_mask, inverted(IPT_INV_VIA_IN), rule);
    add_device(On::out_device, packet.outiface, packet.outiface_mask, inverted(IPT_INV_VIA_OUT), rule);
    if (packet.proto != 0 && (packet.flags & Version::heeds_protocol) == Version::heeds_protocol)
        rule.conditions.push_back({.on = On::protocol,
                                   .inverted = inverted(XT_INV_PROTO),
                                   .protocol = static_cast<std::uint8_t>(packet.proto)});
    if ((packet.flags & ~(Version::go_to | Version::heeds_protocol)) != 0)
        rule.conditions.emplace_back();  // fragments, type of service
}

template <typename Version>
class TableReader
{
public:
    using Entry = typename Version::Entry;

    TableReader(std::string table, const typename Version::Info& info, const Block& block)
        : table_(std::move(table)),
          info_(info),
          block_(block)
    {}

    std::vector<FilterChain> read()
    {
        each_entry([this](std::size_t offset, const Entry& entry) { note_chain(offset, entry); });
        each_entry([this](std::size_t offset, const Entry& entry) { add_entry(offset, entry); });
        return std::move(chains_);
    }

private:
    template <typename Visit>
    void each_entry(Visit visit)
    {
        for (std::size_t offset = 0; offset + sizeof(Entry) <= block_.size();) {
            const Entry entry = part_at<Entry>(block_, offset);
            if (entry.next_offset < sizeof(Entry))
                return;
            visit(offset, entry);
            offset += entry.next_offset;
        }
    }

    std::string target_name(std::size_t offset, const Entry& entry) const
    {
        const auto target = part_at<xt_entry_target>(block_, offset + entry.target_offset);
        return {target.u.user.name, ::strnlen(target.u.user.name, sizeof target.u.user.name)};
    }

    void begin_chain(std::size_t first, std::string name, std::optional<FilterBase> base)
    {
        FilterChain chain;
        chain.legacy = true;
        chain.family = Version::family;
        chain.table = table_;
        chain.name = std::move(name);
        chain.base = base;
        chain_at_[first] = chains_.size();
        chains_.push_back(std::move(chain));
    }

    /// A base chain begins where the table says, another one behind an entry that carries its name.
    void note_chain(std::size_t offset, const Entry& entry)
    {
        static constexpr std::array names{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"};
        for (unsigned hook = 0; hook < names.size(); ++hook)
            if ((info_.valid_hooks & (1U << hook)) != 0 && info_.hook_entry[hook] == offset)
                begin_chain(offset, names[hook], FilterBase{static_cast<FilterHook>(hook), false});
        const bool is_last = offset + entry.next_offset >= block_.size();
        if (target_name(offset, entry) != XT_ERROR_TARGET || is_last)
            return;
        const auto head = part_at<xt_error_target>(block_, offset + entry.target_offset);
        begin_chain(offset + entry.next_offset, {head.errorname, ::strnlen(head.errorname, sizeof head.errorname)}, {});
    }

    void add_entry(std::size_t offset, const Entry& entry)
    {
        if (const auto begun = chain_at_.find(offset); begun != chain_at_.end())
            current_ = &chains_[begun->second];
        if (!current_ || target_name(offset, entry) == XT_ERROR_TARGET)
            return;
        FilterRule rule = read_entry(offset, entry);
        const bool is_policy = current_->base && info_.underflow[static_cast<int>(current_->base->hook)] == offset;
        if (is_policy) {
            current_->base->drops = rule.verdict == RuleVerdict::drop;
        } else {
            rule.number = current_->rules.size() + 1;
            current_->rules.push_back(std::move(rule));
        }
    }

    FilterRule read_entry(std::size_t offset, const Entry& entry) const
    {
        FilterRule rule;
        read_packet_part<Version>(entry, rule);
        for (std::size_t at = offset + sizeof(Entry); at < offset + entry.target_offset;) {
            const auto match = part_at<xt_entry_match>(block_, at);
            const std::size_t size = match.u.match_size;
            if (size < sizeof match || at + size > block_.size())
                break;
            const std::string name(match.u.user.name, ::strnlen(match.u.user.name, sizeof match.u.user.name));
            std::ranges::move(xt_conditions(name, match.u.user.revision,
                                            std::span(block_).subspan(at + sizeof match, size - sizeof match)),
                              std::back_inserter(rule.conditions));
            at += size;
        }
        read_target(offset, entry, rule);
        return rule;
    }

    void read_target(std::size_t offset, const Entry& entry, FilterRule& rule) const
    {
        if (const std::string name = target_name(offset, entry); !name.empty()) {  // XT_STANDARD_TARGET is ""
            const std::size_t at = offset + entry.target_offset;
            const auto target = part_at<xt_entry_target>(block_, at);
            const std::size_t size = std::min<std::size_t>(target.u.target_size, block_.size() - at);
            xt_verdict(name, target.u.user.revision, Version::family == FilterFamily::v4,
                       std::span(block_).subspan(at, size).subspan(std::min(size, sizeof target)), rule);
            return;
        }
        const int verdict = part_at<xt_standard_target>(block_, offset + entry.target_offset).verdict;
        if (verdict >= 0) {
            if (static_cast<std::size_t>(verdict) == offset + entry.next_offset)
                return;  // no target: on to the next rule
            rule.verdict =
                (Version::packet(entry).flags & Version::go_to) != 0 ? RuleVerdict::go_to : RuleVerdict::jump;
            const auto target = chain_at_.find(static_cast<std::size_t>(verdict));
            rule.target = target == chain_at_.end() ? "" : chains_[target->second].name;
        } else if (verdict == XT_RETURN) {
            rule.verdict = RuleVerdict::give_back;
        } else {
            rule.verdict = verdict == -NF_ACCEPT - 1 ? RuleVerdict::accept
                           : verdict == -NF_DROP - 1 ? RuleVerdict::drop
                                                     : RuleVerdict::unknown;
        }
    }

    std::string table_;
    const typename Version::Info& info_;
    const Block& block_;
    std::vector<FilterChain> chains_;
    std::map<std::size_t, std::size_t> chain_at_;  // offset of the first entry -> index
    FilterChain* current_ = nullptr;
};

template <typename Version>
[[noreturn]] void fail(const std::string& table, int error)
{
    throw Error(Code::node_lacks, "read table " + table + " of " + Version::command + ": " + errno_text(error) +
                                      "; compare `" + Version::command + " -t " + table + " -S`");
}

/// The table as it is at one moment. It may grow between the two questions, and the second one then fails.
template <typename Version>
std::vector<FilterChain> read_table(const UniqueFd& socket, const std::string& table, std::optional<FilterHook> hook)
{
    return read_unchanged(
        "read table " + table + " of " + Version::command, [&]() -> std::optional<std::vector<FilterChain>> {
            typename Version::Info info{};
            table.copy(info.name, sizeof info.name - 1);
            socklen_t length = sizeof info;
            if (::getsockopt(socket.get(), Version::level, Version::get_info, &info, &length) != 0)
                fail<Version>(table, errno);
            if (hook && (info.valid_hooks & (1U << static_cast<unsigned>(*hook))) == 0)
                return std::vector<FilterChain>{};
            constexpr std::size_t head = offsetof(typename Version::Entries, entrytable);
            Block answer(head + info.size);
            typename Version::Entries question{};
            table.copy(question.name, sizeof question.name - 1);
            question.size = info.size;
            std::memcpy(answer.data(), &question, head);
            length = static_cast<socklen_t>(answer.size());
            if (::getsockopt(socket.get(), Version::level, Version::get_entries, answer.data(), &length) == 0) {
                answer.erase(answer.begin(), answer.begin() + head);
                return TableReader<Version>(table, info, answer).read();
            }
            if (errno != EAGAIN)
                fail<Version>(table, errno);
            return std::nullopt;
        });
}

template <typename Version>
void read_tables(std::optional<FilterHook> hook, std::vector<FilterChain>& chains)
{
    std::ifstream names(Version::tables);  // of this namespace; no file: no iptables-legacy in this kernel
    std::string table;
    while (std::getline(names, table)) {
        const UniqueFd socket(::socket(Version::socket_family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
        if (!socket)
            fail<Version>(table, errno);
        std::ranges::move(read_table<Version>(socket, table, hook), std::back_inserter(chains));
    }
}

}  // namespace

std::vector<FilterChain> read_legacy_iptables(std::optional<FilterHook> hook)
{
    std::vector<FilterChain> chains;
    read_tables<V4>(hook, chains);
    read_tables<V6>(hook, chains);
    return chains;
}

std::vector<FilterChain> read_packet_filter(std::optional<FilterHook> hook)
{
    std::vector<FilterChain> chains = read_nftables(hook);
    std::ranges::move(read_legacy_iptables(hook), std::back_inserter(chains));
    return chains;
}

}  // namespace sallyport
