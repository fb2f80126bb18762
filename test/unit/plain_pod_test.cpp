// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cni/plain_pod.hpp"
#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace sallyport;
using namespace sallyport::test;

namespace {

std::string with_runtime_config(const std::string& value)
{
    return R"({"runtimeConfig": )" + value + "}";
}

bool plain(const std::string& config)
{
    return is_plain(JsonValue::parse(config, JsonValue::Duplicates::last_wins));
}

}  // namespace

TEST_CASE("a pod is plain by what it asks for, whatever else there is")
{
    CHECK(plain("{}"));
    CHECK(plain(R"({"cniVersion": 7, "gatways": {}, "bpffs": [], "prevResult": 5, "a": 1, "a": 2})"));
    CHECK(plain(with_runtime_config("null")));
    for (const std::string annotations :
         {"null", "{}", R"({"a": "sallyport.dev/expose"})", R"({"sallyport.dev": "x", "other": 5})"}) {
        CAPTURE(annotations);
        CHECK(plain(with_runtime_config(R"({"io.kubernetes.cri.pod-annotations": )" + annotations + "}")));
    }
    CHECK(plain(with_runtime_config(R"({"portMappings": [{"containerPort": 80, "protocol": "SCTP"}]})")));
    const std::string deep(1000, '[');
    CHECK(plain(R"({"prevResult": )" + deep + std::string(1000, ']') + "}"));
}

TEST_CASE("a pod that asks for anything of ours isn't plain, right or wrong")
{
    const std::string asks = GENERATE(R"({"io.kubernetes.cri.pod-annotations": {"sallyport.dev/expose": "80:9080"}})",
                                      R"({"io.kubernetes.cri.pod-annotations": {"sallyport.dev/expsoe": ""}})",
                                      R"({"io.kubernetes.cri.pod-annotations": {"sallyport.dev/hold": 5}})",
                                      R"({"portMappings": [{"HostPort": 80, "ContainerPort": 9080}]})");
    CAPTURE(asks);
    CHECK_FALSE(plain(with_runtime_config(asks)));
}

TEST_CASE("where nobody can tell whether a pod is plain, that is said")
{
    require_refusal([] { plain(with_runtime_config("[]")); }, Code::invalid_network_config, {"/runtimeConfig is"});
    require_refusal([] { plain(with_runtime_config(R"({"io.kubernetes.cri.pod-annotations": "x"})")); },
                    Code::invalid_network_config, {"/io.kubernetes.cri.pod-annotations is \"x\""});
    require_refusal([] { plain(with_runtime_config(R"({"portMappings": {}})")); }, Code::invalid_network_config,
                    {"/portMappings is"});
}

TEST_CASE("the previous result is handed on as it came")
{
    CHECK(prev_result_of(R"({"prevResult": {"b": 1.10, "a": 2}})") == R"({"b": 1.10, "a": 2})");
    CHECK(prev_result_of(R"({"prevResult": 1, "prevResult": [2]})") == "[2]");
    CHECK(prev_result_of(R"({"prevResult": "text"})") == R"("text")");
    CHECK_FALSE(prev_result_of(R"({"prevResult": null})"));
    CHECK_FALSE(prev_result_of(R"({"other": {"prevResult": 1}})"));
}
