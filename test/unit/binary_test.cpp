// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/chain/binary.hpp"

#include "support/content.hpp"
#include "support/refusal.hpp"
#include "support/temporary_directory.hpp"

#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <fstream>

using namespace sallyport;
using namespace sallyport::test;
namespace fs = std::filesystem;

namespace {

std::size_t entries(const fs::path& directory)
{
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory), fs::directory_iterator()));
}

mode_t mode(const fs::path& path)
{
    struct stat status{};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    return status.st_mode & 07777;
}

}  // namespace

TEST_CASE("the binary is copied, and once is enough", "[chain]")
{
    const TemporaryDirectory directory;
    const fs::path source = directory.path() / "source";
    const fs::path bin = directory.path() / "bin";
    const fs::path target = installed_binary(bin);
    fs::create_directory(bin);
    std::ofstream(source) << std::string(300000, 'a') << "end";

    CHECK(install_binary(source, bin));
    CHECK(content(target) == content(source));
    CHECK(mode(target) == 0755);
    CHECK(entries(bin) == 1);
    CHECK_FALSE(install_binary(source, bin));

    SECTION("another version replaces it, also where it has the same size")
    {
        std::ofstream(source) << std::string(300000, 'a') << "End";
        CHECK(install_binary(source, bin));
        CHECK(content(target) == content(source));
    }
    SECTION("one that is damaged is replaced")
    {
        const int damage = GENERATE(0, 1, 2, 3);
        if (damage == 0)
            fs::resize_file(target, 1000);
        else if (damage == 1)
            fs::permissions(target, fs::perms(0644));
        else if (damage == 2)
            fs::remove(target);
        else
            fs::create_symlink(source, (fs::remove(target), target));
        CHECK(install_binary(source, bin));
        CHECK(content(target) == content(source));
        CHECK(mode(target) == 0755);
        CHECK_FALSE(fs::is_symlink(target));
    }
    SECTION("what killed installations have left goes, and nothing else")
    {
        std::ofstream(bin / ".sallyport-17-0.tmp") << "half";
        std::ofstream(bin / "portmap") << "another plugin";
        CHECK_FALSE(install_binary(source, bin));
        CHECK(entries(bin) == 2);
        CHECK(remove_binary(bin));
        CHECK_FALSE(remove_binary(bin));
        CHECK(fs::exists(bin / "portmap"));
    }
}

TEST_CASE("a target that doesn't serve is refused with what to do", "[chain]")
{
    const TemporaryDirectory directory;
    const fs::path source = directory.path() / "source";
    std::ofstream(source) << "x";
    require_refusal([&] { install_binary(source, directory.path() / "none"); }, Code::node_lacks,
                    {"no such directory", "--cni-bin-dir", "k3s"});
    require_refusal([&] { install_binary(source, source); }, Code::node_lacks, {"no such directory"});
    require_refusal([&] { install_binary(directory.path() / "none", directory.path()); }, Code::io_failure, {"none"});
    fs::create_directory(installed_binary(directory.path()));
    require_refusal([&] { install_binary(source, directory.path()); }, Code::io_failure, {"replace", "sallyport"});
    CHECK_FALSE(remove_binary(directory.path() / "none"));
}
