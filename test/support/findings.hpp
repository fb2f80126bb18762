// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a doctor found, by the check's name.
#pragma once

#include "sallyport/doctor.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace sallyport::test {

/// The first finding of that check, or null.
inline const Finding* find_check(const std::vector<Finding>& findings, const std::string& check)
{
    const auto found =
        std::find_if(findings.begin(), findings.end(), [&](const Finding& finding) { return finding.check == check; });
    return found == findings.end() ? nullptr : &*found;
}

/// The level of one check; "-" where it wasn't reported.
inline std::string level_of(const std::vector<Finding>& findings, const std::string& check)
{
    const auto found =
        std::find_if(findings.begin(), findings.end(), [&](const Finding& finding) { return finding.check == check; });
    return found == findings.end() ? "-" : std::string(name(found->level));
}

inline std::string advice_of(const std::vector<Finding>& findings, const std::string& check)
{
    const auto found =
        std::find_if(findings.begin(), findings.end(), [&](const Finding& finding) { return finding.check == check; });
    return found == findings.end() ? "-" : found->advice;
}

}  // namespace sallyport::test
