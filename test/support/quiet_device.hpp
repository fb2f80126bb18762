// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A device that a proxy, a DNS cache or a cloud's agent keeps for its addresses alone: kube-ipvs0, nodelocaldns.
#pragma once

#include "support/netns.hpp"
#include "support/subprocess.hpp"

#include <string>
#include <vector>

namespace sallyport::test {

/// A dummy device, down, as kube-proxy makes it; up with IPv6, which wants that. Where the kernel has none, one end of
/// a veth pair: by its addresses, /32 and /128, it is the same.
inline void add_quiet_device(const Namespace& netns, const std::string& name, const std::vector<std::string>& addresses)
{
    const auto made = [&](const std::vector<std::string>& kind) {
        std::vector<std::string> words{"ip", "link", "add", name, "type"};
        words.insert(words.end(), kind.begin(), kind.end());
        return execute({.argv = words, .netns = &netns}).status == 0;
    };
    const std::string peer = name.substr(0, 12) + "-p";
    const bool dummy = made({"dummy"});
    if (!dummy)
        made({"veth", "peer", "name", peer});
    for (const std::string& address : addresses) {
        const bool v6 = address.find(':') != std::string::npos;
        if (v6)
            netns.ip("link set " + name + " up\n" + (dummy ? "" : "link set " + peer + " up\n"));
        netns.ip("addr add " + address + " dev " + name + (v6 ? " nodad\n" : "\n"));
    }
}

}  // namespace sallyport::test
