// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cli/doctor_view.hpp"

#include "sallyport/cli/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace sallyport {

namespace {

using nlohmann::ordered_json;

struct Mark
{
    const char* unicode;
    const char* ascii;  ///< all of one width
    Tone tone;
};

Mark mark_of(Level level)
{
    switch (level) {
    case Level::fine:
        return {"✔", "ok  ", Tone::good};
    case Level::note:
        return {"·", "note", Tone::dim};
    case Level::warning:
        return {"!", "WARN", Tone::warning};
    case Level::failure:
        return {"✘", "FAIL", Tone::bad};
    }
    return {};
}

/// `text` wrapped, its first line behind `head` and the others below it.
std::string hanging(const std::string& head, std::size_t indent, const std::string& text, const Screen& screen,
                    Tone tone)
{
    std::string lines;
    const bool wraps = screen.width > 2 * indent;
    for (const std::string& line : wraps ? wrapped(text, screen.width - indent) : std::vector<std::string>{text})
        lines += (lines.empty() ? head : std::string(indent, ' ')) + screen.paint(line, tone) + '\n';
    return lines;
}

std::string render(const Finding& finding, const Screen& screen)
{
    const Mark mark = mark_of(finding.level);
    const std::string symbol = screen.unicode ? mark.unicode : mark.ascii;
    const std::size_t indent = 2 + display_width(symbol) + 2;
    std::string text =
        hanging("  " + screen.paint(symbol, mark.tone) + "  ", indent, printable(finding.what), screen, Tone::plain);
    if (!finding.advice.empty()) {
        const std::string arrow = std::string(indent, ' ') + std::string(screen.arrow()) + " ";
        text += hanging(arrow, display_width(arrow), printable(finding.advice), screen, Tone::accent);
    }
    return text;
}

std::string counted(std::size_t number, const std::string& what)
{
    return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

}  // namespace

std::size_t count(const std::vector<Finding>& findings, Level level)
{
    return static_cast<std::size_t>(std::count_if(findings.begin(), findings.end(),
                                                  [&](const Finding& finding) { return finding.level == level; }));
}

std::string render_findings(const std::vector<Finding>& findings, const Screen& screen)
{
    std::string text;
    std::string topic;
    for (const Finding& finding : findings) {
        if (finding.topic != topic)
            text += (text.empty() ? "" : "\n") + screen.paint(finding.topic, Tone::bold) + '\n';
        topic = finding.topic;
        text += render(finding, screen);
    }
    const std::size_t failures = count(findings, Level::failure);
    const std::size_t warnings = count(findings, Level::warning);
    const std::string summary = counted(failures, "failure") + ", " + counted(warnings, "warning") + ", " +
                                std::to_string(count(findings, Level::fine)) + " in order";
    const Tone tone = failures > 0 ? Tone::bad : warnings > 0 ? Tone::warning : Tone::good;
    return text + '\n' + screen.paint(summary, tone) + '\n';
}

std::string to_json(const std::vector<Finding>& findings)
{
    ordered_json json{{"healthy", count(findings, Level::failure) == 0},
                      {"failures", count(findings, Level::failure)},
                      {"warnings", count(findings, Level::warning)},
                      {"findings", ordered_json::array()}};
    for (const Finding& finding : findings)
        json["findings"].push_back({{"topic", finding.topic},
                                    {"check", finding.check},
                                    {"level", name(finding.level)},
                                    {"what", finding.what},
                                    {"advice", finding.advice}});
    return json.dump(2, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace sallyport
