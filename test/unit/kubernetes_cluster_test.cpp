// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/error.hpp"
#include "sallyport/kubernetes.hpp"

#include "support/temporary_directory.hpp"

#include <catch2/catch_test_macros.hpp>

#include <fstream>
#include <map>

using namespace sallyport;

namespace {

using Variables = std::map<std::string, std::string>;

GetEnv environment(const Variables& variables)
{
    return [variables](const std::string& name) -> std::optional<std::string> {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional(found->second);
    };
}

const Variables usual{
    {"KUBERNETES_SERVICE_HOST", "10.96.0.1"}, {"KUBERNETES_SERVICE_PORT", "6443"}, {"NODE_NAME", "n1"}};

}  // namespace

TEST_CASE("kubernetes: a pod without a service account is in no cluster", "[kubernetes]")
{
    const test::TemporaryDirectory directory;
    CHECK(in_cluster(environment(usual), directory.path()) == std::nullopt);
}

TEST_CASE("kubernetes: where the API server is, and what is missing", "[kubernetes]")
{
    const test::TemporaryDirectory directory;
    std::ofstream(directory.path() / "token") << "t";
    const Cluster expected{"10.96.0.1", 6443, "n1", directory.path() / "token", directory.path() / "ca.crt"};
    CHECK(in_cluster(environment(usual), directory.path()) == expected);

    const std::vector<std::pair<std::string, std::string>> wrong{{"KUBERNETES_SERVICE_HOST", "api.example"},
                                                                 {"KUBERNETES_SERVICE_HOST", ""},
                                                                 {"KUBERNETES_SERVICE_PORT", "https"},
                                                                 {"NODE_NAME", ""}};
    for (const auto& [name, value] : wrong) {
        INFO(name);
        Variables variables = usual;
        variables[name] = value;
        try {
            in_cluster(environment(variables), directory.path());
            FAIL("was taken");
        } catch (const Error& error) {
            CHECK(error.code() == Code::invalid_environment);
            CHECK(std::string(error.what()).find(name) != std::string::npos);
        }
    }
    Variables no_port = usual;
    no_port.erase("KUBERNETES_SERVICE_PORT");
    CHECK(in_cluster(environment(no_port), directory.path())->port == 443);
}
