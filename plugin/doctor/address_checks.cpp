// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Whose addresses are these? What an operator means by "the node" can't be seen from the kernel alone.
#include "findings.hpp"

#include "sallyport/doctor.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <set>

namespace sallyport {

namespace {

constexpr std::size_t most_named = 3;

/// `10.96.0.1, 10.96.0.10 and 1203 more on kube-ipvs0`; each address once, though many devices may have it.
std::vector<std::string> by_device(const NetworkFacts& network, const std::function<bool(const HeldAddress&)>& holds)
{
    std::set<Address> named;
    std::map<std::string, std::vector<std::string>> devices;
    for (const HeldAddress& held : network.addresses)
        if (holds(held) && named.insert(held.local.address).second)
            devices[held.device].push_back(held.local.address.to_string());
    std::vector<std::string> texts;
    for (auto& [device, addresses] : devices) {
        const std::size_t more = addresses.size() - std::min(addresses.size(), most_named);
        addresses.resize(addresses.size() - more);
        texts.push_back(joined(addresses) + (more > 0 ? " and " + std::to_string(more) + " more" : "") + " on " +
                        device);
    }
    return texts;
}

/// Is it answered for no other reason than that a prefix of `addresses` holds it?
bool is_caught(const HeldAddress& held, const Answered& answered)
{
    const Address& address = held.local.address;
    return answered.contains(address) && std::ranges::find(answered.own, address) == answered.own.end() &&
           std::ranges::find(answered.configured, Prefix{address, 128}) == answered.configured.end();
}

/// Does it stand beside the device's own address, as keepalived and kube-vip put theirs? Clouds that give a /32 give no
/// other one, and what DHCP or a router gave isn't there for good.
bool looks_like_vip(const HeldAddress& held, const NetworkFacts& network)
{
    const Address& address = held.local.address;
    const auto is_beside = [&](const HeldAddress& other) {
        return other.device == held.device && other.local.on_link && other.local.address.is_v4() == address.is_v4();
    };
    const bool is_named =
        std::ranges::find(network.answered.configured, Prefix{address, 128}) != network.answered.configured.end();
    return held.outside && held.local.global && held.local.permanent && !held.local.on_link && !is_named &&
           network.answered.contains(address) && std::ranges::any_of(network.addresses, is_beside);
}

}  // namespace

std::vector<Finding> check_addresses(const NetworkFacts& network)
{
    Findings findings("network");
    const Answered& answered = network.answered;
    const bool any_own =
        std::ranges::any_of(answered.own, [&](const Address& address) { return answered.contains(address); });
    if (!network.devices.empty() && !any_own && answered.configured.empty())
        findings.warning("own-addresses", "node ports are answered on no address from outside",
                         answered.excluded.empty()
                             ? "no outside device has one: name those by which clients reach this node in `addresses`"
                             : "entries with a `!` in `addresses` take all of the node's own away");

    const auto vips = by_device(network, [&](const HeldAddress& held) { return looks_like_vip(held, network); });
    if (!vips.empty())
        findings.note("vip", "node ports are answered on " + joined(vips) + ", as on the node's own addresses",
                      "where that is another team's VIP, put it into `addresses` with a `!` in front");

    const auto caught =
        by_device(network, [&](const HeldAddress& held) { return !held.outside && is_caught(held, answered); });
    if (!caught.empty())
        findings.warning("caught",
                         "node ports are answered on " + joined(caught) + ": a prefix in `addresses` holds it",
                         "what a proxy or a primary plugin keeps there is lost to it, on these ports: name single "
                         "addresses, or take it away with a `!` in front");

    const auto elsewhere = by_device(network, [&](const HeldAddress& held) {
        const Address& address = held.local.address;
        const auto holds = [&](const Prefix& prefix) { return prefix.contains(address); };
        return !held.outside && !held.of_pod && !answered.contains(address) &&
               std::ranges::none_of(answered.excluded, holds);
    });
    if (!elsewhere.empty())
        findings.note("other-addresses",
                      "node ports aren't answered on " + joined(elsewhere) + ", which isn't an outside device",
                      "nothing to do, unless clients reach this node by it: then put it into `addresses`");
    return findings.take();
}

}  // namespace sallyport
