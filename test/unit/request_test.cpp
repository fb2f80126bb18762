// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cni/request.hpp"

#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <sstream>

using namespace sallyport;
using sallyport::test::require_refusal;

namespace {

using Variables = std::map<std::string, std::string>;

/// The environment of a good call, with some variables changed; those set to "-" are taken out.
Request parse(const std::string& command, const Variables& changes = {}, const std::string& config = "{}")
{
    Variables variables = {
        {"CNI_COMMAND", command}, {"CNI_CONTAINERID", "c1"}, {"CNI_NETNS", "/run/netns/1"}, {"CNI_IFNAME", "eth0"}};
    for (const auto& [name, value] : changes)
        variables[name] = value;
    std::istringstream in(config);
    return parse_request(
        [&](const std::string& name) {
            const auto found = variables.find(name);
            return found == variables.end() || found->second == "-" ? std::nullopt : std::optional(found->second);
        },
        in);
}

}  // namespace

TEST_CASE("ADD brings everything")
{
    const Request request = parse(
        "ADD",
        {{"CNI_ARGS", "IgnoreUnknown=1;K8S_POD_NAMESPACE=kong;K8S_POD_NAME=kong-7d9f;K8S_POD_UID=0f8a2c66;X=a=b;"}},
        "{ }");
    CHECK(request.command == Command::add);
    CHECK(request.attachment == AttachmentId{"c1", "eth0"});
    CHECK(request.netns == "/run/netns/1");
    CHECK(request.pod_namespace == "kong");
    CHECK(request.pod_name == "kong-7d9f");
    CHECK(request.pod_uid == "0f8a2c66");
    CHECK(request.config == "{ }");
}

TEST_CASE("every command is known by its name alone")
{
    CHECK(parse("ADD").command == Command::add);
    CHECK(parse("DEL").command == Command::del);
    CHECK(parse("CHECK").command == Command::check);
    CHECK(parse("GC").command == Command::gc);
    CHECK(parse("STATUS").command == Command::status);
    CHECK(parse("VERSION").command == Command::version);
    const std::string other = GENERATE("", "add", "ADD ", "DELETE", "-");
    require_refusal([&] { parse(other); }, Code::invalid_environment,
                    {"CNI_COMMAND", "ADD, DEL, CHECK, GC, STATUS, VERSION"});
}

TEST_CASE("a command refuses to run without the variables that it needs, and needs no others")
{
    struct Case
    {
        std::string command;
        bool id, ifname, netns;
    };
    const auto [command, id, ifname, netns] = GENERATE(
        Case{"ADD", true, true, true}, Case{"CHECK", true, true, true}, Case{"DEL", true, true, false},
        Case{"GC", false, false, false}, Case{"STATUS", false, false, false}, Case{"VERSION", false, false, false});
    for (const auto& [name, needed] :
         std::map<std::string, bool>{{"CNI_CONTAINERID", id}, {"CNI_IFNAME", ifname}, {"CNI_NETNS", netns}})
        for (const std::string value : {"", "-"}) {
            INFO(command << " " << name << "=" << value);
            if (needed)
                require_refusal([&, call = command, variable = name] { parse(call, {{variable, value}}); },
                                Code::invalid_environment, {"CNI_COMMAND=" + command + " needs " + name + ";"});
            else
                CHECK_NOTHROW(parse(command, {{name, value}}));
        }
}

TEST_CASE("all that is missing is named at once")
{
    require_refusal([] { parse("ADD", {{"CNI_CONTAINERID", "-"}, {"CNI_NETNS", ""}}); }, Code::invalid_environment,
                    {"needs CNI_CONTAINERID, CNI_NETNS;"});
}

TEST_CASE("container ids are the specification's")
{
    const std::string good = GENERATE(std::string("a"), "0", "A-b_c.d", std::string(127, 'f'));
    CHECK(parse("ADD", {{"CNI_CONTAINERID", good}}).attachment.container_id == good);

    const std::string bad = GENERATE(".", "-a", "_a", "a/b", "../x", "a b", "a\n", "\xc3\xa9", "a;b");
    const std::string command = GENERATE("ADD", "DEL", "CHECK");
    require_refusal([&] { parse(command, {{"CNI_CONTAINERID", bad}}); }, Code::invalid_environment,
                    {"CNI_CONTAINERID is \""});
}

TEST_CASE("a container id too long for the owner record is no matter until the pod is to be bound")
{
    const std::string command = GENERATE("ADD", "DEL", "CHECK");
    CHECK(parse(command, {{"CNI_CONTAINERID", std::string(127, 'f')}}).objection.empty());
    const Request request = parse(command, {{"CNI_CONTAINERID", std::string(128, 'f')}});
    CHECK(request.attachment.container_id.size() == 128);
    CHECK(request.objection.find("has 128 characters; at most 127") != std::string::npos);
}

TEST_CASE("interface names are the kernel's")
{
    const std::string good = GENERATE("eth0", "a", "...", "123456789012345", "eth0.100", "net-1_x");
    CHECK(parse("ADD", {{"CNI_IFNAME", good}}).attachment.ifname == good);

    const std::string bad = GENERATE("1234567890123456", ".", "..", "a/b", "a:b", "a b", "a\tb", "a\n");
    require_refusal([&] { parse("ADD", {{"CNI_IFNAME", bad}}); }, Code::invalid_environment,
                    {"CNI_IFNAME is \"", "at most 15"});
}

TEST_CASE("malformed CNI_ARGS are objected to, and the rest of them read")
{
    const std::string args = GENERATE("K8S_POD_NAME=p;junk", "=v;K8S_POD_NAME=p", "K8S_POD_NAME=p;;x=1;junk");
    const std::string column = args.front() == '=' ? "column 1;" : "column 16;";
    const std::string command = GENERATE("ADD", "DEL", "CHECK");
    const Request request = parse(command, {{"CNI_ARGS", args}});
    CHECK(request.pod_name == "p");
    CHECK(request.objection.find("CNI_ARGS has \"") == 0);
    CHECK(request.objection.find(column) != std::string::npos);
    CHECK(request.objection.find("KEY=VALUE") != std::string::npos);
}

TEST_CASE("outside Kubernetes the pod has no name")
{
    const std::string args = GENERATE("", "-", "FOO=bar");
    CHECK(parse("ADD", {{"CNI_ARGS", args}}).pod_name.empty());
    CHECK(parse("ADD", {{"CNI_ARGS", args}}).pod_namespace.empty());
}

TEST_CASE("commands about no container ignore what the environment says of one")
{
    const Request request = parse("GC", {{"CNI_CONTAINERID", "../.."}, {"CNI_IFNAME", "a/b"}, {"CNI_ARGS", "junk"}});
    CHECK(request.attachment == AttachmentId{});
    CHECK(request.netns.empty());
}

TEST_CASE("stdin is read to its end, up to 4 MiB")
{
    CHECK(parse("VERSION", {}, "").config.empty());
    CHECK(parse("ADD", {}, std::string("a\0b\n", 4)).config == std::string("a\0b\n", 4));
    CHECK(parse("ADD", {}, std::string(max_config_size, 'a')).config.size() == max_config_size);
    require_refusal([] { parse("ADD", {}, std::string(max_config_size + 1, 'a')); }, Code::decoding_failure,
                    {"larger than 4194304 bytes"});
    require_refusal([] { parse("DEL", {}, std::string(10'000'000, '[')); }, Code::decoding_failure,
                    {"larger than 4194304 bytes"});
}
