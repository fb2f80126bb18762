// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/error.hpp"

#include <catch2/catch_test_macros.hpp>

#include <cerrno>

using namespace sallyport;

TEST_CASE("an error seen from one layer up keeps its code")
{
    const Error outer = Error(Code::node_lacks, "Operation not permitted").during("attach ingress to eth0");
    CHECK(outer.code() == Code::node_lacks);
    CHECK(outer.what() == std::string("attach ingress to eth0: Operation not permitted"));
}

TEST_CASE("errno has a text")
{
    CHECK(errno_text(EPERM) == "Operation not permitted");
    CHECK(errno_text(ENOENT) == "No such file or directory");
}

TEST_CASE("a quote is one line, with control characters made visible")
{
    CHECK(in_quotes("80:9080") == "\"80:9080\"");
    CHECK(in_quotes("") == "\"\"");
    CHECK(in_quotes(std::string("a\n\x1b\x7f") + '\0' + "b") == "\"a\\x0a\\x1b\\x7f\\x00b\"");
    CHECK(in_quotes("Grüße") == "\"Grüße\"");
    CHECK(in_quotes("a\xc2\x9b\x9b\u202eb") == "\"a\\xc2\\x9b\\x9b\\xe2\\x80\\xaeb\"");
}

TEST_CASE("a long text is quoted by its beginning")
{
    CHECK(in_quotes(std::string(80, 'a')) == "\"" + std::string(80, 'a') + "\"");
    CHECK(in_quotes(std::string(100000, 'a')) == "\"" + std::string(80, 'a') + "...\"");
}

TEST_CASE("no character is cut in two")
{
    const std::string euro = "\xe2\x82\xac";
    std::string text(79, 'a');
    CHECK(in_quotes(text + euro + "b") == "\"" + text + "...\"");
    text.pop_back();
    CHECK(in_quotes(text + euro + "b") == "\"" + text + "...\"");
    text.pop_back();
    CHECK(in_quotes(text + euro + "b") == "\"" + text + euro + "...\"");
}
