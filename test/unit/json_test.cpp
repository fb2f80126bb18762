// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cni/json.hpp"

#include "support/refusal.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace sallyport;
using namespace std::string_view_literals;
using sallyport::test::require_refusal;

namespace {

constexpr auto strict = JsonValue::Duplicates::refused;
constexpr auto lenient = JsonValue::Duplicates::last_wins;

/// `{"a":{"a":...{}...}}`, so many objects.
std::string nested(std::size_t levels)
{
    std::string text;
    for (std::size_t i = 1; i < levels; ++i)
        text += R"({"a":)";
    return text + "{}" + std::string(levels - 1, '}');
}

}  // namespace

TEST_CASE("what isn't a JSON object is refused, with the place")
{
    struct Case
    {
        std::string_view text, reason;
    };
    const auto [text, reason] = GENERATE(
        Case{"", "is empty"}, Case{" \n\t\r ", "is empty"}, Case{"[]", "is a list"}, Case{"\"text\"", "is \"text\""},
        Case{"null", "is null"}, Case{"7", "is 7"}, Case{"{", "line 1, column 2 (byte 2)"},
        Case{"{\"a\":\n 1,\n  x}", "line 3, column 3 (byte 13)"}, Case{R"({"a": "b)", "line 1, column 9 (byte 9)"},
        Case{R"({"a": 1} {})", "line 1, column 10 (byte 10)"}, Case{R"({"a": 1,})", "line 1, column 9"},
        Case{R"({'a': 1})", "line 1, column 2"}, Case{"{\"a\": \"\xff\"}", "line 1, column 8"},
        Case{"{\"a\": \"\n\"}", "line 1, column 8"}, Case{"{}\0"sv, "NUL"},
        Case{"{\"a\": 1}\0 more"sv, "byte 9 is a NUL"}, Case{"{\"a\": 1e999}", "number overflow"},
        Case{"{\"a\": // no\n 1}", "line 1"}, Case{"{\"a\": \"\\ud800\"}", "line 1"});
    for (const auto duplicates : {strict, lenient})
        require_refusal([&, input = text] { JsonValue::parse(input, duplicates); }, Code::decoding_failure,
                        {"the network configuration", std::string(reason)});
}

TEST_CASE("a truncated configuration is refused wherever it ends")
{
    const std::string text = R"({"cniVersion": "1.0.0", "gateways": {"ports": [80, "8000-8999"]}, "fastPath": true})";
    REQUIRE_NOTHROW(JsonValue::parse(text, strict));
    for (std::size_t length = 0; length < text.size(); ++length)
        require_refusal([&] { JsonValue::parse(text.substr(0, length), strict); }, Code::decoding_failure, {});
}

TEST_CASE("the message stays short where a long text is broken")
{
    require_refusal([] { JsonValue::parse("{\"" + std::string(500000, 'a'), strict); }, Code::decoding_failure,
                    {"byte 500003"});
    require_refusal([] { JsonValue::parse('"' + std::string(500000, 'a') + '"', strict); }, Code::decoding_failure,
                    {"aaa..."});
}

TEST_CASE("no nesting overflows the stack")
{
    const std::string open = GENERATE("[", "{\"a\":");
    std::string text = "{\"a\":";
    while (text.size() < (1 << 20))
        text += open;
    require_refusal([&] { JsonValue::parse(text, strict); }, Code::decoding_failure, {"deeper than 64 levels"});
    require_refusal([&] { JsonValue::parse(text, lenient); }, Code::decoding_failure, {"isn't valid JSON"});

    const std::string deep = nested(100000);
    REQUIRE_NOTHROW(JsonValue::parse(deep, lenient));  // and its destructor
    require_refusal([&] { JsonValue::parse(deep, lenient).find("a")->string(); }, Code::invalid_network_config,
                    {"/a is an object; expected a string"});
    CHECK(raw_member(deep, "a") == std::string_view(deep).substr(5, deep.size() - 6));
}

TEST_CASE("64 levels are read, 65 are not")
{
    CHECK_NOTHROW(JsonValue::parse(nested(64), strict));
    require_refusal([] { JsonValue::parse(nested(65), strict); }, Code::decoding_failure, {"deeper than 64 levels"});
}

TEST_CASE("keys that stand twice are told apart from equal keys of different objects")
{
    CHECK_NOTHROW(
        JsonValue::parse(R"({"a": {"a": {"b": 1}, "b": 1}, "b": {"a": 1}, "c": [{"a": 1}, {"a": 1}]})", strict));
    const std::string text =
        GENERATE(R"({"a": 1, "a": 1})", R"({"a": 1, "\u0061": 1})", R"({"x": [{"a": {}, "b": {}, "a": 1}]})",
                 R"({"prevResult": {"b": 1}, "x": {"a": 1, "a": 2}})");
    INFO(text);
    require_refusal([&] { JsonValue::parse(text, strict); }, Code::decoding_failure, {"the key \"a\" twice"});
    CHECK_NOTHROW(JsonValue::parse(text, lenient));
}

TEST_CASE("a value knows its JSON pointer")
{
    const JsonValue root = JsonValue::parse(R"({"a/b": [1, {"m~n": [2]}]})", strict);
    CHECK(root.pointer().empty());
    const JsonValue inner = root.find("a/b")->elements().at(1).find("m~n")->elements().at(0);
    CHECK(inner.pointer() == "/a~1b/1/m~0n/0");
    CHECK(inner.integer(0, 2) == 2);
    require_refusal([&] { root.string(); }, Code::invalid_network_config, {"the network configuration is an object"});
}

TEST_CASE("a value lives on its own")
{
    const auto value =
        JsonValue::parse(R"({"a": ["some text that no small string holds"]})", strict).find("a")->elements().at(0);
    CHECK(value.string() == "some text that no small string holds");
}

TEST_CASE("null is a value to find, and nothing to find_set")
{
    const JsonValue root = JsonValue::parse(R"({"a": null, "b": false})", strict);
    CHECK(root.find("a"));
    CHECK_FALSE(root.find_set("a"));
    CHECK(root.find_set("b"));
    CHECK_FALSE(root.find("c"));
}

TEST_CASE("a member's raw text is what stands in the input")
{
    struct Case
    {
        std::string_view text, raw;
    };
    const auto [text, raw] =
        GENERATE(Case{R"({"p":{"x": 1.0 , "y":[ ]}})", R"({"x": 1.0 , "y":[ ]})"},
                 Case{R"({"a":"p","p" : 12345678901234567890123 })", "12345678901234567890123"},
                 Case{R"({"a":{"p":1},"p":[1,{"p":2}],"z":3})", R"([1,{"p":2}])"},
                 Case{R"({"a":"\"p\":9,}","p":"q\\"})", R"("q\\")"}, Case{R"({"\u0070":true})", "true"},
                 Case{"\xef\xbb\xbf { \"a\" : [\"]\"] ,\n\"p\"\n:\nnull\n}", "null"}, Case{R"({"a":1})", ""},
                 Case{"{}", ""}, Case{R"({"p":-1.5e3})", "-1.5e3"}, Case{R"({"a":"{","p":"}"})", R"("}")"});
    INFO(text);
    REQUIRE_NOTHROW(JsonValue::parse(text, lenient));
    CHECK(raw_member(text, "p") == raw);
}
