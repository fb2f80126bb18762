// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The manual: complete for each command, and as wide as a terminal.
#include "sallyport/cli.hpp"

#include "sallyport/cli/text.hpp"
#include "support/content.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <sstream>

using namespace sallyport;
using sallyport::test::lines_of;

namespace {

struct Answer
{
    int status = 0;
    std::string out;
    std::string err;
};

Answer ask(const std::vector<std::string>& words)
{
    std::istringstream in;
    std::ostringstream out;
    std::ostringstream err;
    const int status = run_tool({words, [](const std::string&) { return std::nullopt; }, in, out, err, false});
    return {status, out.str(), err.str()};
}

/// The lines of one section, without its title.
std::vector<std::string> section(const std::string& manual, const std::string& title)
{
    std::vector<std::string> lines;
    bool inside = false;
    for (const std::string& line : lines_of(manual)) {
        if (!line.empty() && line[0] != ' ')
            inside = line == title;
        else if (inside && !line.empty())
            lines.push_back(line);
    }
    return lines;
}

std::vector<std::string> commands()
{
    std::vector<std::string> names;
    for (const std::string& line : section(ask({"--help"}).out, "COMMANDS"))
        if (line[2] != ' ')
            names.push_back(line.substr(2, line.find(' ', 2) - 2));
    return names;
}

}  // namespace

TEST_CASE("the tool's manual names all commands", "[cli]")
{
    const std::vector<std::string> names = commands();
    for (const char* name : {"status", "flows", "trace", "doctor", "version", "help"}) {
        CAPTURE(name);
        CHECK(std::count(names.begin(), names.end(), name) == 1);
    }
}

TEST_CASE("each command has a complete manual, 80 columns wide", "[cli]")
{
    for (const std::string& name : commands()) {
        const Answer answer = ask({name, "--help"});
        CAPTURE(name, answer.out);
        CHECK(answer.status == 0);
        CHECK(answer.err.empty());
        for (const char* title : {"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES"}) {
            CAPTURE(title);
            CHECK_FALSE(section(answer.out, title).empty());
        }
        for (const std::string& line : lines_of(answer.out)) {
            CAPTURE(line);
            CHECK(display_width(line) <= 80);
            CHECK((line.empty() || line.back() != ' '));
        }
        CHECK(ask({"help", name}).out == answer.out);
    }
}

TEST_CASE("each option of each command is described", "[cli]")
{
    for (const std::string& name : commands())
        for (const std::string& line : section(ask({name, "--help"}).out, "OPTIONS")) {
            CAPTURE(name, line);
            CHECK((line.starts_with("   ") || line.find("  ", 3) != std::string::npos));
        }
}

TEST_CASE("what isn't a command is answered with those that are", "[cli]")
{
    const Answer close = ask({"statsu"});
    CHECK(close.status == 2);
    CHECK(close.err == "sallyport: there is no command \"statsu\"; did you mean \"status\"?\n");
    const Answer far = ask({"frobnicate"});
    CHECK(far.status == 2);
    CHECK(far.err.find("status, flows") != std::string::npos);
    CHECK(ask({"help", "frobnicate"}).status == 2);
    CHECK(ask({}).status == 2);
}

TEST_CASE("wrong arguments are refused in one line that begins with our name", "[cli]")
{
    using Words = std::vector<std::string>;
    for (const Words& words :
         {Words{"status", "--watch", "never"}, Words{"status", "--watch", "0"}, Words{"status", "--color", "red"},
          Words{"flows", "--port", "http"}, Words{"flows", "--port", "80/sctp"}, Words{"flows", "--limit", "-1"},
          Words{"trace", "--since", "yesterday"}, Words{"trace", "--since", "-1"},
          Words{"agent", "--listen", "everywhere"}, Words{"install", "--chain", "both"}, Words{"doctor", "--frob"},
          Words{"--frob"}}) {
        const Answer answer = ask(words);
        CAPTURE(words, answer.err);
        CHECK(answer.status == 2);
        CHECK(answer.out.empty());
        CHECK(answer.err.starts_with("sallyport: "));
        CHECK(std::count(answer.err.begin(), answer.err.end(), '\n') == 1);
        const std::string command = words.size() > 1 ? words[0] + " " : "";
        CHECK(answer.err.ends_with("; `sallyport " + command + "--help` says more\n"));
        if (words.size() > 2)
            CHECK(answer.err.find(words[1] + ": \"" + words[2] + "\" is") != std::string::npos);
    }
}

TEST_CASE("the version is also an option, as people try that first", "[cli]")
{
    CHECK(ask({"--version"}).status == 0);
    CHECK(ask({"--version"}).out == ask({"version"}).out);
}

TEST_CASE("what can't be written is a failure, of the tool and of the plugin", "[cli]")
{
    const std::string command = GENERATE("", "VERSION");
    std::istringstream in;
    std::ostream full(nullptr);
    std::ostringstream err;
    const auto getenv = [&](const std::string& name) {
        return name == "CNI_COMMAND" && !command.empty() ? std::optional(command) : std::nullopt;
    };
    CHECK(run({{"version"}, getenv, in, full, err, false}) == 1);
    CHECK(err.str() == "sallyport: what is to be said can't be written to stdout\n");
}
