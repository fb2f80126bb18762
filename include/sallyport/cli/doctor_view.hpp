// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A doctor's findings as people and programs read them.
#pragma once

#include "sallyport/cli/screen.hpp"
#include "sallyport/doctor.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace sallyport {

std::size_t count(const std::vector<Finding>& findings, Level level);

/// With the findings' topics as headings and a summary at the end.
std::string render_findings(const std::vector<Finding>& findings, const Screen& screen);

std::string to_json(const std::vector<Finding>& findings);

}  // namespace sallyport
