// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/annotation.hpp"

#include "sallyport/error.hpp"
#include "sallyport/names.hpp"

#include <algorithm>
#include <array>
#include <tuple>

namespace sallyport {
namespace {

constexpr std::string_view key_prefix = "sallyport.dev/";
constexpr std::array<std::string_view, 5> known_keys = {
    "sallyport.dev/expose", "sallyport.dev/remap", "sallyport.dev/share", "sallyport.dev/settle", "sallyport.dev/hold",
};
constexpr std::string_view blanks = " \t\r\n";  // a YAML block ends in a newline
constexpr std::string_view item_form = "[hostIP:]hostPort:containerPort[/tcp|udp]";

[[noreturn]] void refuse(std::string_view key, const std::string& reason)
{
    throw Error(Code::bad_annotation, "annotation " + std::string(key) + ": " + reason);
}

/// One item of `expose` and where it stands, both for people: counted from 1.
struct Item
{
    std::string_view text;
    std::size_t number = 0;
    std::size_t column = 0;  ///< in bytes

    std::string place() const { return "item " + std::to_string(number) + " " + in_quotes(text); }

    [[noreturn]] void refuse(const std::string& reason) const
    {
        sallyport::refuse("sallyport.dev/expose", place() + " (column " + std::to_string(column) + "): " + reason);
    }
};

std::vector<Item> split(std::string_view value)
{
    const auto count = static_cast<std::size_t>(std::count(value.begin(), value.end(), ',')) + 1;
    if (count > max_exposures_of_a_pod)
        refuse("sallyport.dev/expose", "has " + std::to_string(count) + " items; a pod may have at most " +
                                           std::to_string(max_exposures_of_a_pod));
    std::vector<Item> items;
    for (std::size_t start = 0; items.size() < count;) {
        const std::size_t comma = std::min(value.find(',', start), value.size());
        const std::size_t first = std::min(value.find_first_not_of(blanks, start), comma);
        const std::size_t last = std::max(value.find_last_not_of(blanks, comma == 0 ? 0 : comma - 1) + 1, first);
        const bool empty = first == comma;
        items.push_back({empty ? "" : value.substr(first, last - first), items.size() + 1, first + 1});
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
    if (!bracketed && colons > 2)
        item.refuse("an IPv6 address must stand in brackets, as in [2001:db8::1]:80:9080");

    const std::size_t start = bracketed ? 1 : 0;
    const std::size_t end = rest.find(bracketed ? ']' : ':');
    const std::size_t colon = bracketed ? end + 1 : end;
    if (end == std::string_view::npos || colon >= rest.size() || rest[colon] != ':')
        item.refuse("after the address in brackets, expected \"]:\"; write " + std::string(item_form));
    const std::string_view text = rest.substr(start, end - start);
    const auto address = Address::parse(text);
    if (!address || bracketed != (text.find(':') != std::string_view::npos))
        item.refuse(in_quotes(text) + " isn't an " + (bracketed ? "IPv6" : "IP") + " address; write one of the node's");
    rest.remove_prefix(colon + 1);
    return address;
}

Wish read_item(const Item& item)
{
    if (item.text.empty())
        item.refuse("is empty; write " + std::string(item_form) + " or remove the comma");
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
        item.refuse("has no container port; write " + std::string(item_form) + ", such as 80:9080");
    wish.host_port = HostPort{read_port(item, rest.substr(0, colon))};
    wish.pod_port = PodPort{read_port(item, rest.substr(colon + 1))};
    return wish;
}

std::vector<Wish> read_expose(std::string_view value)
{
    if (value.find_first_not_of(blanks) == std::string_view::npos)
        refuse("sallyport.dev/expose", "is empty; write " + std::string(item_form) + ", such as 80:9080, or remove it");
    using Claim = std::tuple<std::optional<Address>, HostPort, Protocol>;
    std::map<Claim, Item> claims;
    std::vector<Wish> wishes;
    for (const Item& item : split(value)) {
        wishes.push_back(read_item(item));
        const Wish& wish = wishes.back();
        const auto [earlier, is_new] = claims.try_emplace({wish.host_address, wish.host_port, wish.protocol}, item);
        if (!is_new)
            item.refuse("has the same node port as " + earlier->second.place() + "; remove one of them");
    }
    return wishes;
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
    const std::string not_served = in_quotes(value) + " isn't served by this version of Sallyport; remove ";
    if (key == "sallyport.dev/expose")
        wishes.expose = read_expose(value);
    else if (key == "sallyport.dev/share")
        wishes.share = read_share(value);
    else if (key == "sallyport.dev/remap")
        refuse(key, not_served + "the annotation");
    else if (key != "sallyport.dev/settle" && key != "sallyport.dev/hold")
        throw Error(Code::bad_annotation,
                    "annotation " + in_quotes(key) + " isn't one of Sallyport's; " + advice_for(key, known_keys));
    else if (value != "0s" && value != "0")
        refuse(key, not_served + "it or write 0s");
}

Wish wish_of(const PortMapping& mapping)
{
    const std::string host = mapping.host_address ? bracketed(*mapping.host_address) + ":" : "";
    const std::string text =
        "hostPort " + host + std::to_string(number(mapping.host_port)) + "/" + std::string(name(mapping.protocol));
    return {mapping.host_address, mapping.host_port, mapping.pod_port, mapping.protocol, text};
}

}  // namespace

Wishes parse_wishes(const std::map<std::string, std::string>& annotations,
                    const std::vector<PortMapping>& port_mappings)
{
    Wishes wishes;
    for (const auto& [key, value] : annotations)
        if (key.starts_with(key_prefix))
            read(key, value, wishes);
    for (const PortMapping& mapping : port_mappings)
        wishes.port_mappings.push_back(wish_of(mapping));
    return wishes;
}

}  // namespace sallyport
