// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "../../plugin/web/listener.hpp"
#include "../../plugin/web/site.hpp"

#include "sallyport/error.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport;
using namespace sallyport::web;

TEST_CASE("the address to listen at: all addresses, or one of either family", "[web]")
{
    CHECK(parse_listen(":9465") == ListenAddress{std::nullopt, 9465});
    CHECK(parse_listen(":0") == ListenAddress{std::nullopt, 0});
    CHECK(parse_listen("192.0.2.1:80") == ListenAddress{Address::parse("192.0.2.1"), 80});
    CHECK(parse_listen("[2001:db8::1]:9465") == ListenAddress{Address::parse("2001:db8::1"), 9465});
    CHECK(parse_listen("0.0.0.0:9465") == ListenAddress{Address::any_v4(), 9465});
    CHECK(parse_listen("[::]:9465") == ListenAddress{Address::any_v6(), 9465});
}

TEST_CASE("the address to listen at: what isn't an address is quoted", "[web]")
{
    for (const char* text :
         {"", "9465", ":", ":http", ":65536", ":-1", ":09465", "localhost:9465", "2001:db8::1:9465", "[192.0.2.1]:9465",
          "[::1]", "[::1:9465", "::1]:9465", "192.0.2.1", " :9465", "192.0.2.1:"}) {
        INFO(text);
        try {
            parse_listen(text);
            FAIL("was taken");
        } catch (const Error& error) {
            CHECK(error.code() == Code::invalid_environment);
            CHECK(std::string(error.what()).find('"' + std::string(text) + '"') != std::string::npos);
        }
    }
}

TEST_CASE("/ports/: a port, and a protocol where it isn't TCP", "[web]")
{
    CHECK(parse_port_path("80") == PortLabel{80, Protocol::tcp});
    CHECK(parse_port_path("443/tcp") == PortLabel{443, Protocol::tcp});
    CHECK(parse_port_path("443/udp") == PortLabel{443, Protocol::udp});
    for (const char* text :
         {"", "0", "65536", "http", "80/", "80/sctp", "80/TCP", "80/tcp/", "/80", "80/udp/x", "+80"}) {
        INFO(text);
        CHECK(parse_port_path(text) == std::nullopt);
    }
}

TEST_CASE("/ports/: the family by which the request came, unless it asks for one", "[web]")
{
    for (const Family came : {Family::v4, Family::v6}) {
        for (const char* query : {"", "a=b", "xfamily=ipv4", "&", "Family=ipv6"})
            CHECK(parse_family(query, came) == came);
        for (const char* query : {"family=ipv4", "a=b&family=ipv4", "family=ipv6&family=ipv4", "family=ipv4&"})
            CHECK(parse_family(query, came) == Family::v4);
        CHECK(parse_family("family=ipv6", came) == Family::v6);
        for (const char* query : {"family=", "family=4", "family=IPv4", "family=ipv4&family=x"})
            CHECK(parse_family(query, came) == std::nullopt);
    }
}
