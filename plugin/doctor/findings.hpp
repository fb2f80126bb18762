// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a check writes its findings with.
#pragma once

#include "sallyport/doctor.hpp"
#include "sallyport/listed.hpp"

#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace sallyport {

class Findings
{
public:
    explicit Findings(std::string topic) : topic_(std::move(topic)) {}

    void fine(std::string check, std::string what) { add(std::move(check), Level::fine, std::move(what), {}); }
    void note(std::string check, std::string what, std::string advice = {})
    {
        add(std::move(check), Level::note, std::move(what), std::move(advice));
    }
    void warning(std::string check, std::string what, std::string advice)
    {
        add(std::move(check), Level::warning, std::move(what), std::move(advice));
    }
    void failure(std::string check, std::string what, std::string advice)
    {
        add(std::move(check), Level::failure, std::move(what), std::move(advice));
    }

    std::vector<Finding> take() { return std::move(findings_); }

private:
    void add(std::string check, Level level, std::string what, std::string advice)
    {
        findings_.push_back({topic_, std::move(check), level, std::move(what), std::move(advice)});
    }

    std::string topic_;
    std::vector<Finding> findings_;
};

/// `a, b, c`; of many only the first few, and how many more.
inline std::string joined(const std::vector<std::string>& items)
{
    constexpr std::size_t at_most = 8;
    const std::string list = listed(std::span(items).first(std::min(items.size(), at_most)));
    return list + (items.size() > at_most ? " and " + std::to_string(items.size() - at_most) + " more" : "");
}

/// Names of the node ports for which `holds`, each once.
std::vector<std::string> ports_where(const NodeReport& report, const std::function<bool(const NodePortReport&)>& holds);

}  // namespace sallyport
