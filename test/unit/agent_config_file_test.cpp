// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/node/config_file.hpp"

#include "sallyport/error.hpp"

#include "support/temporary_directory.hpp"

#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <string>

using namespace sallyport;

namespace {

struct File
{
    std::filesystem::path path() const { return directory.path() / "config.json"; }
    void write(const std::string& text) const { std::ofstream(path()) << text; }

    test::TemporaryDirectory directory;
};

const auto anything_goes = [](const Config&, const Config&) {};

std::string refusal_by(ConfigFile& file)
{
    try {
        file.refresh(anything_goes);
    } catch (const Error& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("a configuration is in force once it is right, and new only once", "[agent][config]")
{
    const File file;
    ConfigFile config(file.path());
    CHECK(refusal_by(config).find(file.path().string() + ": read it: No such file or directory") == 0);
    CHECK_FALSE(config.config());

    file.write(R"({"stateDir": "/run/one"})");
    CHECK(config.refresh(anything_goes));
    CHECK_FALSE(config.refresh(anything_goes));
    CHECK(config.config()->paths.state_dir == "/run/one");
    CHECK(config.text() == R"({"stateDir": "/run/one"})");
    file.write(R"({"stateDir": "/run/two"})");
    CHECK(config.refresh(anything_goes));
    CHECK(config.config()->paths.state_dir == "/run/two");
}

TEST_CASE("what is broken is told each time, and takes no place", "[agent][config]")
{
    const File file;
    ConfigFile config(file.path());
    file.write(R"({"stateDir": "/run/one"})");
    REQUIRE(config.refresh(anything_goes));
    for (const std::string& broken : {std::string(R"({"stateDir": 5})"), std::string(R"({"statedir": "/run"})"),
                                      std::string(), std::string("{"), std::string(2 << 20, ' ')}) {
        CAPTURE(broken.substr(0, 40));
        file.write(broken);
        for (int i = 0; i < 2; i++) {
            const std::string reason = refusal_by(config);
            CHECK(reason.starts_with(file.path().string() + ": "));
            CHECK(reason.ends_with("the configuration before it stays in force"));
        }
        CHECK(config.config()->paths.state_dir == "/run/one");
    }
    std::filesystem::remove(file.path());
    CHECK(refusal_by(config).ends_with("the configuration before it stays in force"));
}

TEST_CASE("whoever uses a configuration may refuse to go on with another", "[agent][config]")
{
    const File file;
    ConfigFile config(file.path());
    file.write(R"({"stateDir": "/run/one"})");
    REQUIRE(config.refresh(anything_goes));
    file.write(R"({"stateDir": "/run/two"})");
    CHECK_THROWS_AS(config.refresh([](const Config& before, const Config& next) {
        CHECK(before.paths.state_dir == "/run/one");
        CHECK(next.paths.state_dir == "/run/two");
        throw Error(Code::invalid_network_config, "no");
    }),
                    Error);
    CHECK(config.config()->paths.state_dir == "/run/one");
    CHECK(config.refresh(anything_goes));
}
