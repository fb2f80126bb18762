// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the doctor makes of a runtime's configuration, of the binary, and of our configuration.
#include "sallyport/doctor.hpp"

#include "support/findings.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace sallyport;
using namespace sallyport::test;

namespace {

const std::string listed_entry =
    R"({"type":"sallyport","capabilities":{"io.kubernetes.cri.pod-annotations":true},"gateways":{"namespaces":["apisix"]}})";

std::string list_with(const std::string& plugins, const std::string& version = "0.3.1")
{
    return R"({"cniVersion":")" + version + R"(","name":"cilium","plugins":[)" + plugins + "]}";
}

const std::string cilium_cni = R"({"type":"cilium-cni"})";

InspectedList list_file(const std::string& text)
{
    return inspect_list("/etc/cni/net.d/05-cilium.conflist", text, false);
}

ChainFacts healthy_chain()
{
    ChainFacts chain;
    chain.directory = "/etc/cni/net.d";
    chain.active = list_file(list_with(cilium_cni + "," + listed_entry));
    return chain;
}

}  // namespace

TEST_CASE("a runtime is judged by its version, and by what the chain has for it", "[doctor]")
{
    const auto judged = [](const std::string& name, const std::string& version, const ChainFacts& chain) {
        return check_runtime({"/run/cri.sock", "", name, version}, chain);
    };
    CHECK(level_of(judged("containerd", "v1.7.24", healthy_chain()), "runtime") == "ok");
    CHECK(level_of(judged("containerd", "1.4.13", healthy_chain()), "runtime") == "failure");
    CHECK(level_of(judged("cri-o", "1.28.0", healthy_chain()), "runtime") == "failure");
    CHECK(level_of(judged("cri-o", "1.32.1", healthy_chain()), "runtime") == "ok");
    CHECK(level_of(judged("another", "1.0.0", healthy_chain()), "runtime") == "note");
    CHECK(level_of(judged("containerd", "dev", healthy_chain()), "runtime") == "note");
    CHECK(level_of(check_runtime({}, healthy_chain()), "runtime") == "note");
    CHECK(level_of(check_runtime({"/run/cri.sock", "no answer", "", ""}, healthy_chain()), "runtime") == "warning");

    ChainFacts modern = healthy_chain();
    modern.active = list_file(list_with(cilium_cni + "," + listed_entry, "1.1.0"));
    CHECK(level_of(judged("containerd", "1.7.24", modern), "runtime") == "failure");
    CHECK(level_of(judged("containerd", "2.0.1", modern), "runtime") == "ok");

    ChainFacts dropped_in = healthy_chain();
    dropped_in.drop_ins = {inspect_list("/etc/cni/net.d/cilium/90-sallyport.conf", listed_entry, true)};
    CHECK(level_of(judged("containerd", "1.7.24", dropped_in), "runtime-drop-ins") == "failure");
    CHECK(level_of(judged("cri-o", "1.34.0", dropped_in), "runtime-drop-ins") == "failure");
    CHECK(level_of(judged("containerd", "2.1.0", dropped_in), "runtime-drop-ins") == "-");
}

TEST_CASE("a list is read as a runtime reads it", "[doctor]")
{
    const InspectedList file = list_file(list_with(cilium_cni + "," + listed_entry));
    CHECK(file.problem.empty());
    CHECK(file.network == "cilium");
    CHECK(file.cni_version == "0.3.1");
    CHECK(file.types == std::vector<std::string>{"cilium-cni", "sallyport"});
    REQUIRE(file.entries.size() == 1);
    CHECK(parse_entry(file.entries[0]).gateways.namespaces == std::vector<std::string>{"apisix"});

    CHECK_FALSE(list_file("{").problem.empty());
    CHECK_FALSE(list_file(R"({"type":"bridge"})").problem.empty());
    CHECK_FALSE(list_file(R"({"plugins":[]})").problem.empty());
    CHECK_FALSE(list_file(R"({"plugins":{"type":"sallyport"}})").problem.empty());
    CHECK_FALSE(list_file(R"({"plugins":["sallyport"]})").problem.empty());

    CHECK(list_file("{").problem.find("line 1, column 2") != std::string::npos);
    CHECK(list_file(R"({"name":"cilium","plugins":[]})").problem == "its list of plugins is empty");
    CHECK(list_file(R"({"name":"cilium","plugins":[{"mtu":1500}]})").problem == "/plugins/0 has no type");
    CHECK(list_file(R"({"plugins":[{"type":"cilium-cni"}]})").problem == "it has no name");
    CHECK(list_file(R"({"name":"cilium","loadOnlyInlinedPlugins":"true","plugins":[{"type":"cilium-cni"}]})")
              .ignores_drop_ins);
}

TEST_CASE("a file's name decides how it is read", "[doctor]")
{
    const std::string list = list_with(cilium_cni + "," + listed_entry);
    const InspectedList named_otherwise = inspect_list("/etc/cni/net.d/05-cilium.conf", list, false);
    CHECK(named_otherwise.problem.find("*.conflist") != std::string::npos);
    CHECK(inspect_list("/etc/cni/net.d/05-bridge.conf", R"({"name":"n","type":"bridge"})", false)
              .problem.find("no list") != std::string::npos);
    const InspectedList moved = inspect_list("/etc/cni/net.d/05-cilium.conflist.cilium_bak", list, false);
    CHECK(moved.entries.size() == 1);

    const auto drop_in = [](const std::string& text) { return inspect_list("/n/10-x.conf", text, true); };
    CHECK(drop_in(listed_entry).entries == std::vector<std::string>{listed_entry});
    CHECK(drop_in(listed_entry).problem.empty());
    CHECK(drop_in(R"({"type":"tuning"})").entries.empty());
    CHECK(drop_in(R"({"type":"tuning"})").problem.empty());
    CHECK_FALSE(drop_in("{}").problem.empty());
}

TEST_CASE("a healthy chain", "[doctor]")
{
    for (const Finding& finding : check_chain(healthy_chain())) {
        CAPTURE(finding.what);
        CHECK(finding.level == Level::fine);
    }
}

TEST_CASE("what is wrong with a chain", "[doctor]")
{
    ChainFacts chain = healthy_chain();
    const auto level = [&](const std::string& check) { return level_of(check_chain(chain), check); };
    const auto use = [&](const std::string& text) { chain.active = list_file(text); };
    SECTION("no network at all")
    {
        chain.active.reset();
        CHECK(level("active") == "failure");
    }
    SECTION("a directory that can't be read")
    {
        chain.active.reset();
        chain.problem = "read directory /etc/cni/net.d: Permission denied";
        CHECK(level("active") == "failure");
        CHECK(check_chain(chain).back().what == chain.problem);
    }
    SECTION("a broken first file")
    {
        use("{");
        CHECK(level("active") == "failure");
        CHECK(level("present") == "-");
    }
    SECTION("not in it")
    {
        use(list_with(cilium_cni));
        CHECK(level("present") == "failure");
        CHECK(advice_of(check_chain(chain), "present").find("sallyport install") != std::string::npos);
        chain.shadowed = {list_file(list_with(cilium_cni + "," + listed_entry))};
        CHECK(check_chain(chain).back().what.find("stands only in") != std::string::npos);
        chain.moved = {"/etc/cni/net.d/10-x.conflist.cilium_bak"};
        CHECK(advice_of(check_chain(chain), "present").find("cni.exclusive=false") != std::string::npos);
    }
    SECTION("not in Cilium's own list, where it would be taken out again")
    {
        use(list_with(cilium_cni, GENERATE("0.3.1", "1.0.0")));
        const auto advice = [&](const std::string& name, const std::string& version) {
            return advice_of(check_chain(chain, {"/run/cri.sock", "", name, version}), "present");
        };
        for (const auto& [name, version] : {std::pair("containerd", "1.7.24"), {"cri-o", "1.37.0"}, {"", ""}}) {
            CAPTURE(name);
            CHECK(advice(name, version).starts_with("set cni.exclusive=false in Cilium's Helm values first"));
            CHECK(advice(name, version).find("sallyport install") != std::string::npos);
        }
        CHECK(advice("containerd", "2.1.9").starts_with("run `sallyport install`"));  // a drop-in, which stays
        use(list_with(R"({"type":"ptp"})"));
        CHECK(advice("containerd", "1.7.24").starts_with("run `sallyport install`"));
    }
    SECTION("moved away, but there all the same")
    {
        chain.moved = {"/etc/cni/net.d/10-x.conflist.cilium_bak"};
        CHECK(level("exclusive") == "warning");
    }
    SECTION("before the primary")
    {
        use(list_with(listed_entry + "," + cilium_cni));
        CHECK(level("order") == "failure");
    }
    SECTION("twice")
    {
        use(list_with(cilium_cni + "," + listed_entry + "," + listed_entry));
        CHECK(level("order") == "failure");
    }
    SECTION("no annotations")
    {
        use(list_with(cilium_cni + R"(,{"type":"sallyport"})"));
        CHECK(level("annotations") == "failure");
    }
    SECTION("a version that we don't speak")
    {
        use(list_with(cilium_cni + "," + listed_entry, "2.0.0"));
        CHECK(level("version") == "failure");
    }
}

TEST_CASE("drop-ins", "[doctor]")
{
    ChainFacts chain = healthy_chain();
    chain.drop_ins = {inspect_list("/etc/cni/net.d/cilium/10-sallyport.conf", listed_entry, true)};
    const auto level = [&](const std::string& check) { return level_of(check_chain(chain), check); };
    CHECK(level("drop-in") == "failure");  // beside the one in the list

    chain.active = list_file(list_with(cilium_cni));
    CHECK(level("drop-in") == "note");
    CHECK(level("present") == "-");
    chain.active->ignores_drop_ins = true;
    CHECK(level("drop-in") == "failure");
    chain.drop_ins = {inspect_list("/etc/cni/net.d/cilium/10-other.conf", "{", true)};
    CHECK(level("drop-in") == "failure");
    CHECK(level("present") == "failure");
}

TEST_CASE("a list of a container tool asks for port mappings alone", "[doctor]")
{
    const auto level = [](const std::string& capabilities) {
        ChainFacts chain = healthy_chain();
        chain.active =
            list_file(list_with(R"({"type":"bridge"},{"type":"sallyport","capabilities":{)" + capabilities + "}}"));
        return level_of(check_chain(chain), "annotations");
    };
    CHECK(level(R"("portMappings":true)") == "note");
    CHECK(level(R"("portMappings":true,"io.kubernetes.cri.pod-annotations":true)") == "ok");
    CHECK(level(R"("portMappings":false)") == "failure");
    CHECK(level("") == "failure");
}

TEST_CASE("binary and configuration", "[doctor]")
{
    BinaryFacts binary{.file = "/opt/cni/bin/sallyport"};
    CHECK(level_of(check_binary(binary), "binary") == "ok");
    binary.same_as_this = false;
    CHECK(level_of(check_binary(binary), "binary") == "warning");
    for (bool BinaryFacts::* fact : {&BinaryFacts::exists, &BinaryFacts::executable}) {
        BinaryFacts broken{.file = "/opt/cni/bin/sallyport"};
        broken.*fact = false;
        CHECK(level_of(check_binary(broken), "binary") == "failure");
    }
    binary.noexec = true;
    CHECK(level_of(check_binary(binary), "binary") == "failure");

    ConfigFacts config{.source = "x", .problem = "", .config = parse_entry(listed_entry)};
    CHECK(level_of(check_config(config), "gateways") == "ok");
    config.config.gateways.namespaces.clear();
    CHECK(level_of(check_config(config), "gateways") == "warning");
    config.mappings_alone = true;
    CHECK(level_of(check_config(config), "gateways") == "ok");
    config.problem = "/devices is 5";
    CHECK(level_of(check_config(config), "config") == "failure");
    CHECK(level_of(check_config({}), "config") == "note");
}

TEST_CASE("Multus in front: its own file is no list, and in a list sallyport stands behind it", "[doctor]")
{
    ChainFacts chain = healthy_chain();
    const auto delegate =
        inspect_list("/etc/cni/net.d/05-cilium.conflist", list_with(cilium_cni + "," + listed_entry), false);
    for (const std::string type : {"multus", "multus-shim"}) {
        CAPTURE(type);
        const std::string multus = R"({"type":")" + type + R"(","capabilities":{"portMappings":true}})";
        chain.active =
            inspect_list("/etc/cni/net.d/00-multus.conf",
                         R"({"cniVersion":"0.3.1","name":"multus-cni-network","type":")" + type + "\"}", false);
        chain.shadowed = {delegate};
        const auto alone = check_chain(chain);
        CHECK(level_of(alone, "active") == "failure");
        CHECK(find_check(alone, "active")->what.find("passes annotations on to no plugin") != std::string::npos);
        CHECK(find_check(alone, "active")->what.find("05-cilium.conflist") != std::string::npos);
        CHECK(advice_of(alone, "active").find("--multus-conf-file") != std::string::npos);

        chain.active = inspect_list("/etc/cni/net.d/00-multus.conflist", list_with(multus), false);
        CHECK(level_of(check_chain(chain), "present") == "failure");
        CHECK(advice_of(check_chain(chain), "present").find("sallyport install") != std::string::npos);

        chain.active = inspect_list("/etc/cni/net.d/00-multus.conflist", list_with(multus + "," + listed_entry), false);
        CHECK(level_of(check_chain(chain), "multus") == "warning");
        chain.shadowed.clear();
        const auto behind = check_chain(chain);
        CHECK(level_of(behind, "active") == "ok");
        CHECK(level_of(behind, "multus") == "-");
        CHECK(level_of(behind, "annotations") == "ok");
    }
}
