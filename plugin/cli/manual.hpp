// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// `--help` as a manual page, 80 columns wide. A command's description begins with the line that lists and names show;
// what follows it, after an empty line, is DESCRIPTION. Its footer is the sections after OPTIONS, as they stand.
#pragma once

#include <CLI/CLI.hpp>

#include <string>

namespace sallyport {

class Manual : public CLI::Formatter
{
public:
    std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
};

}  // namespace sallyport
