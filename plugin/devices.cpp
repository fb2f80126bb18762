// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/devices.hpp"

#include "sallyport/error.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <iterator>

namespace sallyport {

std::vector<Device> outside_devices(const std::optional<std::vector<std::string>>& patterns,
                                    const std::vector<Device>& devices)
{
    const auto wanted = [&](const Device& device) {
        if (!patterns)
            return device.default_route || device.on_link;
        return std::any_of(patterns->begin(), patterns->end(), [&](const std::string& pattern) {
            return fnmatch(pattern.c_str(), device.name.c_str(), 0) == 0;
        });
    };

    std::vector<Device> chosen;
    std::copy_if(devices.begin(), devices.end(), std::back_inserter(chosen),
                 [&](const Device& device) { return !device.loopback && device.ethernet && wanted(device); });
    if (!chosen.empty())
        return chosen;

    std::string list;
    for (const std::string& pattern : patterns.value_or(std::vector<std::string>{"auto"}))
        list += (list.empty() ? "" : ", ") + pattern;
    throw Error(Code::node_lacks, "no network device of this node fits `devices` (" + list +
                                      "); name the ones where outside traffic arrives (`ip -br link` lists them)");
}

}  // namespace sallyport
