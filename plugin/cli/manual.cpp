// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "manual.hpp"

#include "sallyport/cli/text.hpp"

#include <spdlog/fmt/fmt.h>

#include <algorithm>

namespace sallyport {

namespace {

constexpr std::size_t page_width = 80;
constexpr std::size_t indent = 2;

std::string first_line(const std::string& text)
{
    return text.substr(0, text.find('\n'));
}

/// What stands for its value; empty for a flag.
std::string value_of(const CLI::Option& option)
{
    const bool is_flag = option.get_positional() || option.get_items_expected_max() == 0;
    return is_flag || !option.get_option_text().empty() ? option.get_option_text() : option.get_type_name();
}

/// `--json`, `--color WHEN`, `[FILE]`: as it is typed.
std::string usage_of(const CLI::Option& option)
{
    const std::string name = option.get_positional() ? option.get_name(true, false) : option.get_name();
    const std::string value = value_of(option);
    return name + (value.empty() ? "" : " " + value);
}

/// Lines that begin with `head` and go on under its end.
std::string hanging(const std::string& head, const std::vector<std::string>& lines)
{
    std::string text;
    for (const std::string& line : lines)
        text += (text.empty() ? head : std::string(display_width(head), ' ')) + line + '\n';
    return text;
}

std::string full_name(const CLI::App& app)
{
    return (app.get_parent() ? app.get_parent()->get_name() + " " : "") + app.get_name();
}

std::string synopsis(const CLI::App& app, const std::vector<const CLI::Option*>& options)
{
    std::vector<std::string> parts;
    for (const CLI::Option* option : options) {
        const std::string usage = usage_of(*option);
        parts.push_back(option->get_required() ? usage : "[" + usage + "]");
    }
    if (!app.get_subcommands([](const CLI::App*) { return true; }).empty())
        parts.emplace_back("COMMAND [OPTIONS]");

    // Not wrapped(): a part with a blank in it is one word here.
    const std::string head = std::string(indent, ' ') + full_name(app) + (parts.empty() ? "" : " ");
    std::vector<std::string> lines{""};
    for (const std::string& part : parts) {
        if (!lines.back().empty() && head.size() + lines.back().size() + 1 + part.size() > page_width)
            lines.emplace_back();
        lines.back() += (lines.back().empty() ? "" : " ") + part;
    }
    return hanging(head, lines);
}

std::string list_of_options(const std::vector<const CLI::Option*>& options)
{
    std::vector<std::pair<std::string, std::string>> entries;
    std::size_t width = 0;
    for (const CLI::Option* option : options) {
        const std::string fallback = option->get_default_str();
        const std::string value = value_of(*option);
        const std::string usage = option->get_positional()
                                      ? usage_of(*option)
                                      : option->get_name(false, true) + (value.empty() ? "" : " " + value);
        entries.emplace_back(usage,
                             option->get_description() + (fallback.empty() ? "" : " (default: " + fallback + ")"));
        width = std::max(width, usage.size());
    }
    std::string text;
    for (const auto& [usage, what] : entries) {
        const std::string head = fmt::format("{:{}}{:<{}}  ", "", indent, usage, width);
        text += hanging(head, wrapped(what, page_width - head.size()));
    }
    return text;
}

std::string list_of_commands(const CLI::App& app)
{
    const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
    std::size_t width = 0;
    for (const CLI::App* command : commands)
        width = std::max(width, command->get_name().size());
    std::string text;
    for (const CLI::App* command : commands) {
        const std::string head = fmt::format("{:{}}{:<{}}  ", "", indent, command->get_name(), width);
        text += hanging(head, wrapped(first_line(command->get_description()), page_width - head.size()));
    }
    return text;
}

/// Everything after the first line and the empty one below it, indented.
std::string body_of(const std::string& description)
{
    const std::size_t start = description.find("\n\n");
    if (start == std::string::npos)
        return {};
    std::string text;
    std::string_view rest = std::string_view(description).substr(start + 2);
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        text += end == 0 ? "\n" : std::string(indent, ' ') + std::string(rest.substr(0, end)) + '\n';
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return text;
}

std::string section(const std::string& title, const std::string& text)
{
    return text.empty() ? "" : title + '\n' + text + '\n';
}

}  // namespace

std::string Manual::make_help(const CLI::App* app, std::string /*name*/, CLI::AppFormatMode /*mode*/) const
{
    const auto options = app->get_options([](const CLI::Option* option) { return !option->get_group().empty(); });
    const std::string title = full_name(*app) + " - ";
    const std::string name = hanging(std::string(indent, ' ') + title,
                                     wrapped(first_line(app->get_description()), page_width - indent - title.size()));
    return section("NAME", name) + section("SYNOPSIS", synopsis(*app, options)) +
           section("DESCRIPTION", body_of(app->get_description())) + section("COMMANDS", list_of_commands(*app)) +
           section("OPTIONS", list_of_options(options)) + make_footer(app);
}

}  // namespace sallyport
