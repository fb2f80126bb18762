// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/devices.hpp"

#include "sallyport/error.hpp"
#include "sallyport/listed.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <iterator>

namespace sallyport {

namespace {

bool fits(const Device& device, const std::optional<std::vector<std::string>>& patterns)
{
    if (!patterns)
        return device.default_route || device.on_link;
    return std::any_of(patterns->begin(), patterns->end(), [&](const std::string& pattern) {
        return fnmatch(pattern.c_str(), device.name.c_str(), 0) == 0;
    });
}

}  // namespace

std::vector<Device> outside_devices(const std::optional<std::vector<std::string>>& patterns,
                                    const std::vector<Device>& devices)
{
    std::vector<Device> fitting;
    std::copy_if(devices.begin(), devices.end(), std::back_inserter(fitting), [&](const Device& device) {
        return !device.loopback && device.kind != "dummy" && device.link_header != LinkHeader::other &&
               fits(device, patterns);
    });
    // What arrives at a port of a bridge or bond, its master gets too: there once is enough. With "auto" the address
    // that some port was left with counts for nothing: the kernel takes no packet in there.
    const auto is_served_by_master = [&](const Device& port) {
        const auto is_master = [&](const Device& device) { return device.ifindex == port.master; };
        return port.master != 0 && (!patterns || std::any_of(fitting.begin(), fitting.end(), is_master));
    };
    std::vector<Device> chosen;
    std::remove_copy_if(fitting.begin(), fitting.end(), std::back_inserter(chosen), is_served_by_master);
    return chosen;
}

void require_any(const std::vector<Device>& outside, const std::optional<std::vector<std::string>>& patterns)
{
    if (!outside.empty())
        return;
    throw Error(Code::node_lacks, "no network device of this node fits `devices` (" +
                                      (patterns ? listed(*patterns) : "auto") +
                                      "); name the ones where outside traffic arrives (`ip -br link` lists them)");
}

}  // namespace sallyport
