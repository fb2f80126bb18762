// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cni/plain_pod.hpp"

#include "sallyport/annotation.hpp"
#include "sallyport/cni/runtime_config.hpp"

#include <algorithm>

namespace sallyport {

bool is_plain(const JsonValue& config)
{
    const auto runtime_config = config.find_set("runtimeConfig");
    if (!runtime_config)
        return true;
    if (const auto annotations = runtime_config->find_set(annotations_capability)) {
        const auto members = annotations->members();
        if (std::ranges::any_of(members, [](const auto& member) { return is_our_annotation(member.first); }))
            return false;
    }
    return read_port_mappings(*runtime_config).empty();
}

std::optional<std::string> prev_result_of(std::string_view config)
{
    const std::string_view found = raw_member(config, "prevResult");
    return found.empty() || found == "null" ? std::nullopt : std::optional<std::string>(found);
}

}  // namespace sallyport
