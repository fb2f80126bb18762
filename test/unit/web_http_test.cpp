// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "../../plugin/web/http.hpp"

#include <catch2/catch_test_macros.hpp>

#include <random>
#include <stdexcept>

using namespace sallyport::web;

namespace {

/// Answers with the path that it was asked for, over IPv4.
class Echo
{
public:
    Message answer(std::string_view head) const { return http_.answer(head, Family::v4); }

private:
    Http http_{[](const Asked& asked) { return reply(200, asked.path); }};
};

std::string status_line(const Message& message)
{
    return message.head.substr(0, message.head.find("\r\n"));
}

std::string body(const Message& message)
{
    return message.body ? *message.body : "";
}

std::size_t count(const std::string& text, const std::string& part)
{
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
        found++;
    return found;
}

}  // namespace

TEST_CASE("http: GET gets the reply to its path, HEAD the same without it", "[web]")
{
    const Echo http;
    const Message get = http.answer("GET /a%20b?c=d HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(status_line(get) == "HTTP/1.1 200 OK");
    CHECK(body(get) == "/a b");
    const Message head = http.answer("HEAD /a%20b HTTP/1.0\r\n\r\n");
    CHECK(head.head == get.head);
    CHECK(head.body == nullptr);
}

TEST_CASE("http: every answer closes, has one length, and forbids what a browser shouldn't do with it", "[web]")
{
    const Echo http;
    for (const char* request : {"GET / HTTP/1.1\r\n\r\n", "HEAD / HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\n\r\n",
                                "BREW / HTTP/1.1\r\n\r\n", "\x16\x03\x01"}) {
        INFO(request);
        const Message message = http.answer(request);
        CHECK(message.head.ends_with("\r\n\r\n"));
        for (const char* field : {"\r\nConnection: close\r\n", "\r\nContent-Length: ", "\r\nContent-Type: ",
                                  "\r\nX-Content-Type-Options: nosniff\r\n",
                                  "\r\nContent-Security-Policy: ", "\r\nCache-Control: no-store\r\n"})
            CHECK(count(message.head, field) == 1);
        CHECK(message.head.find("Set-Cookie") == std::string::npos);
        CHECK(message.head.find("Access-Control") == std::string::npos);
        if (message.body)
            CHECK(message.head.find("\r\nContent-Length: " + std::to_string(message.body->size()) + "\r\n") !=
                  std::string::npos);
    }
}

TEST_CASE("http: other methods are refused", "[web]")
{
    const Echo http;
    for (const char* method : {"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}) {
        INFO(method);
        const Message message = http.answer(std::string(method) + " / HTTP/1.1\r\nContent-Length: 9\r\n\r\n");
        CHECK(status_line(message) == "HTTP/1.1 405 Method Not Allowed");
        CHECK(message.head.find("\r\nAllow: GET, HEAD\r\n") != std::string::npos);
    }
}

TEST_CASE("http: what isn't HTTP/1 is a bad request", "[web]")
{
    const Echo http;
    for (const char* bad :
         {"BREW / HTTP/1.1\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/3\r\n\r\n", "GET  / HTTP/1.1 x\r\n\r\n",
          "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\x16\x03\x01\x02", "x", "GET / HTTP/1.1\n\n", "\r\n\r\n"}) {
        INFO(bad);
        CHECK(status_line(http.answer(bad)) == "HTTP/1.1 400 Bad Request");
    }
    CHECK(status_line(http.answer("GET /" + std::string(10000, 'a') + " HTTP/1.1\r\n\r\n")) ==
          "HTTP/1.1 414 URI Too Long");
}

TEST_CASE("http: header fields change nothing", "[web]")
{
    const Echo http;
    const Message plain = http.answer("GET / HTTP/1.1\r\n\r\n");
    std::string many_ranges = "bytes=0-0";
    for (int i = 0; i < 3000; i++)
        many_ranges += ",0-";
    for (const std::string& field :
         {"Range: " + many_ranges, std::string("Range: junk"), std::string("Expect: 100-continue"),
          std::string("Connection: keep-alive"), std::string("Connection: upgrade\r\nUpgrade: h2c"),
          std::string("Accept-Encoding: gzip"), std::string("Content-Length: 18446744073709551615"),
          std::string("Transfer-Encoding: chunked"), "Cookie: " + std::string(15'000, 'x')}) {
        INFO(field.substr(0, 60));
        const Message message = http.answer("GET / HTTP/1.1\r\n" + field + "\r\n\r\n");
        CHECK(message.head == plain.head);
        CHECK(body(message) == body(plain));
    }
}

TEST_CASE("http: fields that two readers could read differently are a bad request", "[web]")
{
    const Echo http;
    for (const char* field :
         {": :", "no colon", "Host : x", "a b: c", "X: a\x01", "X: a\n\r\nY: b", "Content-Length: 99999999999999999999",
          "Content-Length: -1", "Content-Length: 1\r\nContent-Length: 2",
          "Transfer-Encoding: chunked\r\nContent-Length: 1"}) {
        INFO(field);
        CHECK(status_line(http.answer("GET / HTTP/1.1\r\n" + std::string(field) + "\r\n\r\n")) ==
              "HTTP/1.1 400 Bad Request");
    }
}

TEST_CASE("http: what follows the head changes nothing", "[web]")
{
    const Echo http;
    const Message plain = http.answer("GET /a HTTP/1.1\r\n\r\n");
    for (const char* more : {"GET /b HTTP/1.1\r\n\r\n", "\xff\xfe garbage", "\r\n"}) {
        INFO(more);
        const Message message = http.answer("GET /a HTTP/1.1\r\n\r\n" + std::string(more));
        CHECK(message.head == plain.head);
        CHECK(body(message) == body(plain));
    }
    CHECK(status_line(http.answer("POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + std::string(9000, 'x'))) ==
          "HTTP/1.1 405 Method Not Allowed");
}

TEST_CASE("http: a path is decoded once, or refused", "[web]")
{
    const Echo http;
    CHECK(body(http.answer("GET /%2566%2F%c3%A9+#x?y HTTP/1.1\r\n\r\n")) == "/%66/\u00e9+");
    for (const char* path : {"/%", "/%4", "/%zz", "/%4x", "/%-1", "/%+1", "/%%20", "/%u0041"}) {
        INFO(path);
        CHECK(status_line(http.answer("GET " + std::string(path) + " HTTP/1.1\r\n\r\n")) == "HTTP/1.1 400 Bad Request");
    }
}

TEST_CASE("http: an error inside is a 500 that tells nothing", "[web]")
{
    Http http([](const Asked&) -> Reply { throw std::runtime_error("secret"); });
    const Message message = http.answer("GET / HTTP/1.1\r\n\r\n", Family::v4);
    CHECK(status_line(message) == "HTTP/1.1 500 Internal Server Error");
    CHECK((message.head + body(message)).find("secret") == std::string::npos);
}

TEST_CASE("http: any bytes get an answer", "[web]")
{
    const Echo http;
    std::mt19937 dice(4);
    const std::string good = "GET /status.json?x=%20&y=1#z HTTP/1.1\r\nHost: a\r\nRange: bytes=0-\r\n\r\n";
    for (int i = 0; i < 5000; i++) {
        std::string request = good;
        for (auto changes = dice() % 6; changes > 0; changes--)
            request[dice() % request.size()] = static_cast<char>(dice());
        request.resize(dice() % 4 == 0 ? dice() % request.size() : request.size());
        if (request.empty())
            continue;
        INFO(request);
        REQUIRE(http.answer(request).head.starts_with("HTTP/1.1 "));
    }
}
