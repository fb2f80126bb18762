// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/chain/conflist.hpp"

#include "support/refusal.hpp"

#include <nlohmann/json.hpp>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <algorithm>

using namespace sallyport;
using namespace sallyport::test;
using Json = nlohmann::json;

namespace {

const std::string our_entry = R"({"type":"sallyport","capabilities":{"io.kubernetes.cri.pod-annotations":true}})";

/// As Cilium 1.16 to 1.18 writes it.
const std::string of_cilium = R"(
{
  "cniVersion": "0.3.1",
  "name": "cilium",
  "plugins": [
    {
       "type": "cilium-cni",
       "enable-debug": false,
       "log-file": "/var/run/cilium/cilium-cni.log"
    }
  ]
})";

const std::string with_portmap = R"({
  "cniVersion": "0.3.1",
  "name": "portmap",
  "plugins": [
    {
       "type": "cilium-cni"
    },
    {
      "type": "portmap",
      "capabilities": {"portMappings": true}
    }
  ]
}
)";

const std::string on_one_line = R"({"name":"n","cniVersion":"1.0.0","plugins":[{"type":"ptp"},{"type":"tuning"}]})";

/// What a rewriting by parsing and printing would change: the order, a number too large for any type, -0, an escape, a
/// key that stands twice, blanks.
const std::string peculiar =
    "{ \"plugins\":\t[ { \"mtu\": 123456789012345678901234567890, \"zero\": -0.0, \"e\": 1E5 ,\r\n"
    "\"type\":\"ptp\", \"note\":\"\\u00e9 ]},{[ \\\" é\", \"mtu\":1 }\r\n ] , \"name\" : \"n\","
    "\"x\": [[],{}], \"cniVersion\":\"0.4.0\" }\n\n";

std::vector<std::string> types(const std::string& list)
{
    std::vector<std::string> found;
    const Json root = Json::parse(list);
    for (const Json& plugin : root.at("plugins"))
        found.push_back(plugin.at("type"));
    return found;
}

using Types = std::vector<std::string>;

}  // namespace

TEST_CASE("our entry goes behind all others, and every byte of theirs stays", "[chain]")
{
    const std::string list = GENERATE(of_cilium, with_portmap, on_one_line, peculiar);
    CAPTURE(list);
    const std::string ours = with_entry(list, our_entry);
    CAPTURE(ours);
    const Json before = Json::parse(list);
    Json expected = before;
    expected["plugins"].push_back(Json::parse(our_entry));
    CHECK(Json::parse(ours) == expected);
    CHECK(find_entries(ours).size() == 1);

    SECTION("it stays where it is")
    {
        CHECK(with_entry(ours, our_entry) == ours);
    }
    SECTION("without it, the file is as it was, byte for byte")
    {
        CHECK(without_entry(ours) == list);
        CHECK(without_entry(list) == list);
    }
    SECTION("another configuration takes its place")
    {
        const std::string other = with_entry(ours, R"({"type":"sallyport","addresses":["192.0.2.0/24"]})");
        CHECK(types(other) == types(ours));
        CHECK(Json::parse(other).at("plugins").back().contains("addresses"));
        CHECK(with_entry(other, our_entry) == ours);
    }
}

TEST_CASE("beside entries on lines of their own ours is indented as they are", "[chain]")
{
    std::string expected = with_portmap;
    expected.insert(expected.rfind("\n  ]"), R"(,
    {
      "type": "sallyport",
      "fastPath": false
    })");
    CHECK(with_entry(with_portmap, R"({"type":"sallyport","fastPath":false})") == expected);
    CHECK(with_entry(on_one_line, R"({"type":"sallyport"})") ==
          R"({"name":"n","cniVersion":"1.0.0","plugins":[{"type":"ptp"},{"type":"tuning"}, {"type":"sallyport"}]})");
}

TEST_CASE("our entry stays where the operator has put it, if that is behind another plugin", "[chain]")
{
    const std::string list =
        R"({"name":"n","plugins":[{"type":"ptp"},{"type":"sallyport", "fastPath": true},{"type":"tuning"}]})";
    CHECK(types(with_entry(list, our_entry)) == Types{"ptp", "sallyport", "tuning"});
    CHECK(Json::parse(find_entries(with_entry(list, our_entry)).at(0)) == Json::parse(our_entry));
    CHECK(with_entry(list, R"({"fastPath": true, "type": "sallyport"})") == list);  // the same in meaning
    CHECK(without_entry(list) == R"({"name":"n","plugins":[{"type":"ptp"},{"type":"tuning"}]})");

    const std::string first = R"({"name":"n","plugins":[ {"type":"sallyport"} , {"type":"ptp"} ]})";
    CHECK(types(with_entry(first, our_entry)) == Types{"ptp", "sallyport"});
    CHECK(without_entry(first) == R"({"name":"n","plugins":[ {"type":"ptp"} ]})");
}

TEST_CASE("of several entries of ours one stays", "[chain]")
{
    const std::string list =
        R"({"plugins":[{"type":"ptp"},{"type":"sallyport"},{"type":"tuning"},{"type":"sallyport"},{"type":"sallyport"}]})";
    CHECK(types(with_entry(list, our_entry)) == Types{"ptp", "sallyport", "tuning"});
    CHECK(without_entry(list) == R"({"plugins":[{"type":"ptp"},{"type":"tuning"}]})");
}

TEST_CASE("of two keys `plugins` the last counts, as it does for Go", "[chain]")
{
    const std::string list = R"({"plugins":[{"type":"old"}],"name":"n","plugins":[{"type":"ptp"}]})";
    CHECK(types(with_entry(list, our_entry)) == Types{"ptp", "sallyport"});
    CHECK(with_entry(list, our_entry).find(R"("plugins":[{"type":"old"}])") != std::string::npos);
}

TEST_CASE("a list that holds nothing but us isn't emptied", "[chain]")
{
    require_refusal([] { without_entry(R"({"name":"n","plugins":[{"type":"sallyport"}]})"); },
                    Code::invalid_network_config, {"remove the file"});
}

TEST_CASE("what a runtime reads in a file", "[chain]")
{
    const NetworkFile file = read_network_file("05-cilium.conflist", of_cilium);
    CHECK(file.network == "cilium");
    CHECK_FALSE(file.single);
    CHECK(file.plugins == Types{"cilium-cni"});
    CHECK(file.versions == Types{"0.3.1"});
    CHECK(file.reads_drop_ins);

    CHECK(read_network_file("10-a.conf", R"({"name":"a","type":"ptp"})").single);
    CHECK(read_network_file("10-a.json", R"({"name":"a","type":"ptp"})").single);
    CHECK(read_network_file("a.conflist", R"({"name":"a"})").plugins.empty());  // libcni 1.3: all in drop-ins
    for (const char* set : {"true", "\"true\"", "\"True\""})
        CHECK_FALSE(read_network_file("a.conflist", std::string(R"({"name":"a","plugins":[{"type":"x"}],)") +
                                                        "\"loadOnlyInlinedPlugins\":" + set + "}")
                        .reads_drop_ins);
    CHECK(read_network_file("a.conflist", R"({"name":"a","cniVersions":["0.4.0","1.1.0"],"plugins":[{"type":"x"}]})")
              .versions == Types{"0.4.0", "1.1.0"});
}

TEST_CASE("what a runtime refuses", "[chain]")
{
    const std::vector<std::pair<std::string, std::string>> cases{
        {"a.conflist", ""},
        {"a.conflist", of_cilium.substr(0, of_cilium.size() - 1)},
        {"a.conflist", of_cilium.substr(0, 40)},
        {"a.conflist", "\xef\xbb\xbf" + of_cilium},
        {"a.conflist", of_cilium + std::string(1, '\0')},
        {"a.conflist", std::string(300, '\0')},  // after a power cut
        {"a.conflist", of_cilium + of_cilium},
        {"a.conflist", "[]"},
        {"a.conflist", R"({"name":"a","plugins":[]})"},
        {"a.conflist", R"({"name":"a","plugins":{}})"},
        {"a.conflist", R"({"name":"a","plugins":null})"},
        {"a.conflist", R"({"name":"a","plugins":[{}]})"},
        {"a.conflist", R"({"name":"a","plugins":[{"type":""}]})"},
        {"a.conflist", R"({"name":"a","plugins":["ptp"]})"},
        {"a.conflist", R"({"plugins":[{"type":"ptp"}]})"},
        {"a.conflist", R"({"name":"a","type":"ptp","loadOnlyInlinedPlugins":true})"},
        {"a.conflist", R"({"name":"a","plugins":[{"type":"ptp","mtu":1e999}]})"},
        {"a.conf", of_cilium},
        {"a.json", "{}"},
    };
    for (const auto& [name, text] : cases) {
        CAPTURE(name, text);
        CHECK_THROWS_AS(read_network_file(name, text), Error);
    }
}

TEST_CASE("where our entry would break every pod, it doesn't go", "[chain]")
{
    const auto objection = [](const std::string& name, const std::string& text, ChainMethod method) {
        return objection_to(read_network_file(name, text), method);
    };
    const auto list = [](const std::string& more, const std::string& plugins = R"([{"type":"ptp"}])") {
        return R"({"name":"n",)" + more + R"("plugins":)" + plugins + "}";
    };
    for (const ChainMethod method : {ChainMethod::conflist, ChainMethod::drop_in}) {
        for (const char* served : {"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"})
            CHECK(objection("a.conflist", list(R"("cniVersion":")" + std::string(served) + "\","), method).empty());
        CHECK(objection("a.conflist", list(R"("cniVersions":["0.4.0","1.1.0"],)"), method).empty());
        CHECK_FALSE(objection("a.conflist", list(R"("cniVersion":"0.2.0",)"), method).empty());
        CHECK_FALSE(objection("a.conflist", list(""), method).empty());
        CHECK_FALSE(objection("a.conflist", list(R"("cniVersions":["1.1.0","1.2.0"],)"), method).empty());
        CHECK_FALSE(objection("a.conf", R"({"name":"a","type":"ptp","cniVersion":"0.4.0"})", method).empty());
        CHECK_FALSE(
            objection("a.conflist", list(R"("cniVersion":"0.4.0",)", R"([{"type":"sallyport"}])"), method).empty());
    }
    const std::string inlined_only = list(R"("cniVersion":"1.0.0","loadOnlyInlinedPlugins":true,)");
    for (const std::string type : {"multus", "multus-shim"}) {
        const std::string advice =
            objection("00-multus.conf", R"({"name":"multus-cni-network","cniVersion":"0.3.1","type":")" + type + "\"}",
                      ChainMethod::conflist);
        CHECK(advice.find("behind Multus itself") != std::string::npos);
        CHECK(advice.find("multusConfigFile") != std::string::npos);
        CHECK(objection("00-multus.conflist",
                        list(R"("cniVersion":"1.0.0",)", R"([{"type":")" + type + R"(","delegates":[]}])"),
                        ChainMethod::conflist)
                  .empty());
    }
    CHECK(objection("a.conflist", inlined_only, ChainMethod::conflist).empty());
    CHECK_FALSE(objection("a.conflist", inlined_only, ChainMethod::drop_in).empty());
    CHECK_FALSE(objection("a.conflist", R"({"name":"n","cniVersion":"1.0.0"})", ChainMethod::conflist).empty());
    CHECK(objection("a.conflist", R"({"name":"n","cniVersion":"1.0.0"})", ChainMethod::drop_in).empty());
}

TEST_CASE("an entry gets what the operator may leave out", "[chain]")
{
    CHECK(complete_entry("{}") == our_entry);
    CHECK(complete_entry(our_entry) == our_entry);
    const Json kept = Json::parse(complete_entry(
        R"({"gateways":{"namespaces":["apisix"]},"type":"sallyport","capabilities":{"portMappings":true}})"));
    CHECK(kept == Json::parse(R"({"type":"sallyport","gateways":{"namespaces":["apisix"]},
        "capabilities":{"portMappings":true,"io.kubernetes.cri.pod-annotations":true}})"));
    const std::string refused = R"({"capabilities":{"io.kubernetes.cri.pod-annotations":false}})";
    CHECK(complete_entry(refused).find("annotations\":false") != std::string::npos);  // the operator's word
}

TEST_CASE("drop-ins are told apart by their type", "[chain]")
{
    CHECK(drop_in_type(drop_in_text(our_entry)) == "sallyport");
    CHECK(drop_in_text(our_entry).ends_with("}\n"));
    CHECK(drop_in_type(R"({"type":"tuning"})") == "tuning");
    for (const char* broken : {"", "{", "[]", "{}", R"({"type":1})"})
        CHECK(drop_in_type(broken).empty());
    CHECK(same_meaning(drop_in_text(our_entry), our_entry));
    CHECK_FALSE(same_meaning("{", "{"));
}
