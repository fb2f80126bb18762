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

bool tears_down_by_cache(std::string_view runtime_name)
{
    return runtime_name == "cri-o";
}

}  // namespace sallyport
