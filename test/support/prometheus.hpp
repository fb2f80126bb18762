// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Reads Prometheus' text format (0.0.4), as strictly as it is written down: what a scraper may forgive is an error
// here.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace sallyport::test {

struct Metrics
{
    std::map<std::string, std::string> types;  ///< by family
    std::map<std::string, double> samples;     ///< `name{label=value,label=value}`, or the name alone

    double at(const std::string& series) const;  ///< throws where there is none
    bool contains(const std::string& series) const { return samples.contains(series); }
};

/// Throws std::runtime_error with the line and what is wrong: a sample outside its family, a series or family twice, a
/// family without HELP or TYPE or of an unknown type, a bad name, escape, number or end of line, a counter that isn't
/// named `_total` or is negative.
Metrics parse_metrics(std::string_view text);

}  // namespace sallyport::test
