// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/annotation.hpp"

#include "sallyport/duration.hpp"
#include "sallyport/error.hpp"
#include "sallyport/names.hpp"
#include "sallyport/utf8.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace sallyport {
namespace {

constexpr std::string_view key_prefix = "sallyport.dev/";
constexpr std::array<std::string_view, 5> known_keys = {
    "sallyport.dev/expose", "sallyport.dev/remap", "sallyport.dev/share", "sallyport.dev/settle", "sallyport.dev/hold",
};
constexpr std::string_view blanks = " \t\r\n";  // a YAML block ends in a newline

/// `expose` and `remap` are lists of the same kind.
struct ListForm
{
    std::string_view key;
    std::string_view item;   ///< what to write
    std::string_view claim;  ///< what no two items may have in common
    bool takes_address = false;
};
constexpr ListForm expose_form{"sallyport.dev/expose", "[hostIP:]hostPort:containerPort[/tcp|udp]",
                               "has the same node port as ", true};
constexpr ListForm remap_form{"sallyport.dev/remap", "podPort:containerPort[/tcp|udp]", "remaps the same port as "};

[[noreturn]] void refuse(std::string_view key, const std::string& reason)
{
    throw Error(Code::bad_annotation, "annotation " + std::string(key) + ": " + reason);
}

/// One item of a list and where it stands, both for people: counted from 1.
struct Item
{
    const ListForm* form = nullptr;
    std::string_view text;
    std::size_t number = 0;
    std::size_t column = 0;  ///< in bytes

    std::string place() const { return "item " + std::to_string(number) + " " + in_quotes(text); }

    [[noreturn]] void refuse(const std::string& reason) const
    {
        sallyport::refuse(form->key, place() + " (column " + std::to_string(column) + "): " + reason);
    }
};

[[noreturn]] void refuse_number(std::string_view keys, std::size_t count)
{
    refuse(keys,
           "has " + std::to_string(count) + " items; a pod may have at most " + std::to_string(max_exposures_of_a_pod));
}

std::vector<Item> split(const ListForm& form, std::string_view value)
{
    const auto count = static_cast<std::size_t>(std::count(value.begin(), value.end(), ',')) + 1;
    if (count > max_exposures_of_a_pod)
        refuse_number(form.key, count);
    std::vector<Item> items;
    for (std::size_t start = 0; items.size() < count;) {
        const std::size_t comma = std::min(value.find(',', start), value.size());
        const std::size_t first = std::min(value.find_first_not_of(blanks, start), comma);
        const std::size_t last = std::max(value.find_last_not_of(blanks, comma == 0 ? 0 : comma - 1) + 1, first);
        const bool empty = first == comma;
        items.push_back({&form, empty ? "" : value.substr(first, last - first), items.size() + 1, first + 1});
        start = comma + 1;
    }
    return items;
}

std::uint16_t read_port(const Item& item, std::string_view text)
{
    const auto port = parse_port(text);
    if (!port)
        item.refuse((text.empty() ? "an empty text" : in_quotes(text)) + " isn't a port; write 1 to 65535");
    return *port;
}

/// Takes `hostIP:` off the front of an item, if it has one.
std::optional<Address> take_host_address(const Item& item, std::string_view& rest)
{
    const bool bracketed = rest.starts_with('[');
    const auto colons = std::count(rest.begin(), rest.end(), ':');
    if (!bracketed && colons < 2)
        return std::nullopt;
    if (!item.form->takes_address)
        item.refuse("has an address, or one number too many: a remap is at the pod's own; write " +
                    std::string(item.form->item));
    if (!bracketed && colons > 2)
        item.refuse("an IPv6 address must stand in brackets, as in [2001:db8::1]:80:9080");

    const std::size_t start = bracketed ? 1 : 0;
    const std::size_t end = rest.find(bracketed ? ']' : ':');
    const std::size_t colon = bracketed ? end + 1 : end;
    if (end == std::string_view::npos || colon >= rest.size() || rest[colon] != ':')
        item.refuse("after the address in brackets, expected \"]:\"; write " + std::string(item.form->item));
    const std::string_view text = rest.substr(start, end - start);
    const auto address = Address::parse(text);
    if (!address || bracketed != (text.find(':') != std::string_view::npos))
        item.refuse(in_quotes(text) + " isn't an " + (bracketed ? "IPv6" : "IP") + " address; write one of the node's");
    rest.remove_prefix(colon + 1);
    return address;
}

/// Characters that come with a copied text and look like another, or like nothing.
constexpr std::array<std::pair<std::uint32_t, std::string_view>, 10> lookalikes{{
    {0x00a0, "no-break space"},
    {0x200b, "zero width space"},
    {0x200c, "zero width non-joiner"},
    {0x200d, "zero width joiner"},
    {0x202f, "narrow no-break space"},
    {0x2060, "word joiner"},
    {0x3000, "ideographic space"},
    {0xfeff, "byte order mark"},
    {0xff0c, "fullwidth comma"},
    {0xff1a, "fullwidth colon"},
}};

std::string described(const Utf8Character& character)
{
    if (!character.valid)
        return fmt::format("the byte 0x{:02x}, which isn't UTF-8", character.code);
    const auto* const known = std::ranges::find(lookalikes, character.code, &decltype(lookalikes)::value_type::first);
    return fmt::format("U+{:04X}", character.code) +
           (known == lookalikes.end() ? "" : " (" + std::string(known->second) + ")");
}

void refuse_beyond_ascii(const Item& item)
{
    for (std::string_view rest = item.text; !rest.empty();) {
        const Utf8Character character = first_character(rest);
        if (!character.valid || character.code > 0x7e)
            item.refuse("has " + described(character) + " in column " +
                        std::to_string(item.column + item.text.size() - rest.size()) + "; remove it or type it anew");
        rest.remove_prefix(character.bytes);
    }
}

/// What people are used to from other lists and ports. Said before a parser complains about a part that it took for
/// something else.
void refuse_habits(const Item& item)
{
    constexpr std::string_view digits = "0123456789";
    const std::string_view text = item.text;
    if (text.find(';') != std::string_view::npos)
        item.refuse("has a semicolon; separate items with commas, as in 80:9080, 443:9443");
    if (text.find_first_of(blanks) != std::string_view::npos)
        item.refuse("has a blank inside; separate items with commas, as in 80:9080, 443:9443");
    for (std::size_t dash = text.find('-', 1); dash != std::string_view::npos; dash = text.find('-', dash + 1))
        if (digits.find(text[dash - 1]) != std::string_view::npos && dash + 1 < text.size() &&
            digits.find(text[dash + 1]) != std::string_view::npos)
            item.refuse("has a range; write an item for each port, as in 80:9080, 81:9081");
    if (const auto colon = text.rfind(':'); colon != std::string_view::npos && parse_protocol(text.substr(colon + 1)))
        item.refuse("has its protocol after a colon; write a slash, as in 80:9080/" +
                    std::string(text.substr(colon + 1)));
}

Wish read_item(const Item& item)
{
    if (item.text.empty())
        item.refuse("is empty; write " + std::string(item.form->item) + " or remove the comma");
    refuse_beyond_ascii(item);
    refuse_habits(item);
    Wish wish;
    wish.text = item.text;
    std::string_view rest = item.text;
    if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
        const std::string_view protocol = rest.substr(slash + 1);
        const auto parsed = parse_protocol(protocol);
        if (!parsed)
            item.refuse(why_no_protocol(protocol));
        wish.protocol = *parsed;
        rest = rest.substr(0, slash);
    }
    wish.host_address = take_host_address(item, rest);
    const std::size_t colon = rest.find(':');
    if (colon == std::string_view::npos)
        item.refuse("has no container port; write " + std::string(item.form->item) + ", such as 80:9080");
    wish.host_port = HostPort{read_port(item, rest.substr(0, colon))};
    wish.pod_port = PodPort{read_port(item, rest.substr(colon + 1))};
    return wish;
}

struct ItemWish
{
    Item item;
    Wish wish;
};

std::vector<ItemWish> read_list(const ListForm& form, std::string_view value)
{
    if (value.find_first_not_of(blanks) == std::string_view::npos)
        refuse(form.key, "is empty; write " + std::string(form.item) + ", such as 80:9080, or remove it");
    using Claim = std::tuple<std::optional<Address>, HostPort, Protocol>;
    std::map<Claim, Item> claims;
    std::vector<ItemWish> list;
    for (const Item& item : split(form, value)) {
        list.push_back({item, read_item(item)});
        const Wish& wish = list.back().wish;
        const auto [earlier, is_new] = claims.try_emplace({wish.host_address, wish.host_port, wish.protocol}, item);
        if (!is_new)
            item.refuse(std::string(form.claim) + earlier->second.place() + "; remove one of them");
    }
    return list;
}

/// One translation, and then the listener: what a remap leads to isn't remapped again.
void refuse_chains(const std::vector<ItemWish>& remaps)
{
    std::map<std::pair<std::uint16_t, Protocol>, Item> remapped;
    for (const auto& [item, wish] : remaps) {
        if (number(wish.host_port) == number(wish.pod_port))
            item.refuse("leads from port " + std::to_string(number(wish.pod_port)) +
                        " to itself; write the port where the pod listens, or remove the item");
        remapped.emplace(std::pair(number(wish.host_port), wish.protocol), item);
    }
    for (const auto& [item, wish] : remaps)
        if (const auto other = remapped.find({number(wish.pod_port), wish.protocol}); other != remapped.end())
            item.refuse("leads to port " + std::to_string(number(wish.pod_port)) + ", which " + other->second.place() +
                        " remaps; write the port where the pod listens");
}

std::vector<Wish> wishes_of(std::vector<ItemWish> list)
{
    std::vector<Wish> wishes;
    for (ItemWish& entry : list)
        wishes.push_back(std::move(entry.wish));
    return wishes;
}

std::vector<Wish> read_remap(std::string_view value)
{
    std::vector<ItemWish> remaps = read_list(remap_form, value);
    refuse_chains(remaps);
    return wishes_of(std::move(remaps));
}

std::chrono::milliseconds read_wait(const std::string& key, const std::string& value)
{
    const std::string advice = "; write 0s to " + to_string(longest_wait) + ", a whole number of ms, s or m";
    const auto duration = parse_duration(value);
    if (!duration)
        refuse(key, (value.empty() ? "an empty text" : in_quotes(value)) + " isn't a duration" + advice);
    if (*duration > longest_wait)
        refuse(key, in_quotes(value) + " is too long" + advice);
    return *duration;
}

Share read_share(const std::string& value)
{
    for (const Share share : {Share::newest, Share::spread})
        if (value == name(share))
            return share;
    refuse("sallyport.dev/share", in_quotes(value) + " is unknown; write newest or spread");
}

void read(const std::string& key, const std::string& value, Wishes& wishes)
{
    if (key == expose_form.key)
        wishes.expose = wishes_of(read_list(expose_form, value));
    else if (key == remap_form.key)
        wishes.remap = read_remap(value);
    else if (key == "sallyport.dev/share")
        wishes.sharing.share = read_share(value);
    else if (key == "sallyport.dev/settle")
        wishes.sharing.settle = read_wait(key, value);
    else if (key == "sallyport.dev/hold")
        wishes.sharing.hold = read_wait(key, value);
    else
        throw Error(Code::bad_annotation,
                    "annotation " + in_quotes(key) + " isn't one of Sallyport's; " + advice_for(key, known_keys));
}

Wish wish_of(const PortMapping& mapping)
{
    const std::string host = mapping.host_address ? bracketed(*mapping.host_address) + ":" : "";
    const std::string text =
        "hostPort " + host + std::to_string(number(mapping.host_port)) + "/" + std::string(name(mapping.protocol));
    return {mapping.host_address, mapping.host_port, mapping.pod_port, mapping.protocol, text};
}

}  // namespace

bool is_our_annotation(std::string_view key)
{
    return key.starts_with(key_prefix);
}

Wishes parse_wishes(const std::map<std::string, std::string>& annotations,
                    const std::vector<PortMapping>& port_mappings)
{
    Wishes wishes;
    wishes.sharing.settle = default_settle;
    for (const auto& [key, value] : annotations)
        if (is_our_annotation(key))
            read(key, value, wishes);
    if (wishes.expose.size() + wishes.remap.size() > max_exposures_of_a_pod)
        refuse_number("sallyport.dev/expose with sallyport.dev/remap", wishes.expose.size() + wishes.remap.size());
    for (const PortMapping& mapping : port_mappings)
        wishes.port_mappings.push_back(wish_of(mapping));
    return wishes;
}

}  // namespace sallyport
