// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The log file. Never stdout, which belongs to the result. Silent until log_to() is called, and for ever where the file
// can't be opened: a full disk must not keep a pod from starting.
#pragma once

#include "sallyport/config.hpp"

#include <string>

namespace sallyport {

void log_to(const LogSettings& settings) noexcept;

/// For the agent, whose stderr is a log that somebody keeps.
void log_to_stderr(const std::string& level) noexcept;

void log_debug(const std::string& message) noexcept;
void log_info(const std::string& message) noexcept;
void log_warning(const std::string& message) noexcept;
void log_error(const std::string& message) noexcept;

}  // namespace sallyport
