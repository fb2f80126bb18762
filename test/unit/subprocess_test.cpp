// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the other tiers start programs with: the program that runs is the one in the PATH that it is given.
#include "support/subprocess.hpp"

#include "support/temporary_directory.hpp"

#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>
#include <stdexcept>

using namespace sallyport::test;

namespace {

namespace fs = std::filesystem;

/// A program that says which one it is.
void write_program(const fs::path& file, const std::string& says)
{
    fs::create_directories(file.parent_path());
    std::ofstream(file) << "#!/bin/sh\necho " << says << '\n';
    fs::permissions(file, fs::perms::owner_all);
}

}  // namespace

TEST_CASE("a program is looked for in the PATH that it is given, and nowhere else")
{
    const TemporaryDirectory directory;
    const fs::path first = directory.path() / "first";
    const fs::path second = directory.path() / "second";
    write_program(first / "only-here", "first");
    write_program(first / "sha256sum", "first");
    write_program(second / "sha256sum", "second");
    fs::create_directories(second / "only-here");  // a directory is no program

    const auto says = [](const std::string& name, const std::string& path) {
        return must_execute({.argv = {name}, .environment = {"PATH=" + path}});
    };
    const std::string both = second.string() + ':' + first.string();
    CHECK(says("only-here", both) == "first\n");
    CHECK(says("sha256sum", both) == "second\n");
    CHECK(says((first / "sha256sum").string(), "/nowhere") == "first\n");
    CHECK(find_program("only-here", both) == (first / "only-here").string());
    CHECK(find_program("only-here", second.string()).empty());

    CHECK_THROWS_AS(says("sh", first.string()), std::runtime_error);  // though we have one
    CHECK_THROWS_AS(execute({.argv = {"sh"}, .environment = {"NO=PATH"}}), std::runtime_error);
    CHECK(must_execute({.argv = {"sh", "-c", "echo ours"}}) == "ours\n");
}
