// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/chain/method.hpp"

#include <charconv>

namespace sallyport {

std::pair<int, int> release_of(std::string_view version)
{
    if (version.starts_with('v'))
        version.remove_prefix(1);
    const char* const end = version.data() + version.size();
    int major = 0;
    int minor = 0;
    const auto [dot, error] = std::from_chars(version.data(), end, major);
    if (error != std::errc{} || dot == end || *dot != '.' || std::from_chars(dot + 1, end, minor).ec != std::errc{})
        return {0, 0};
    return {major, minor};
}

ChainMethod method_for(std::string_view runtime_name, std::string_view version)
{
    const bool reads_drop_ins = runtime_name == "containerd" && release_of(version) >= std::pair{2, 1};
    return reads_drop_ins ? ChainMethod::drop_in : ChainMethod::conflist;
}

std::string objection_to(ChainMethod method, std::string_view runtime_name, std::string_view version)
{
    if (method != ChainMethod::drop_in)
        return {};
    const std::string who = std::string(runtime_name) + ' ' + std::string(version);
    const std::string advice = "; use --chain conflist, or auto";
    if (tears_down_by_cache(runtime_name))
        return "a drop-in isn't for " + who +
               ": it checks and ends a pod by the list that was cached when the pod started, which has no drop-ins, so "
               "what a pod held would never be removed" +
               advice;
    if (runtime_name == "containerd" && method_for(runtime_name, version) != ChainMethod::drop_in)
        return "a drop-in isn't for " + who +
               ": containerd reads them from 2.1 on, so Sallyport would never be called" + advice;
    return {};
}

bool tears_down_by_cache(std::string_view runtime_name)
{
    return runtime_name == "cri-o";
}

}  // namespace sallyport
