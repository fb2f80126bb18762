// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Whoever is at the other end of the socket: every call ends, with an error that says which socket and why.
#include "sallyport/cri.hpp"

#include "support/cri_messages.hpp"
#include "support/cri_server.hpp"
#include "support/refusal.hpp"
#include "support/temporary_directory.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <vector>

using namespace sallyport;
using namespace sallyport::test;
using namespace std::chrono_literals;

namespace {

std::string frame(std::uint8_t type, std::uint8_t flags, std::uint8_t stream, const std::string& payload)
{
    const std::size_t size = payload.size();
    std::string head{static_cast<char>(size >> 16),
                     static_cast<char>(size >> 8),
                     static_cast<char>(size),
                     static_cast<char>(type),
                     static_cast<char>(flags),
                     0,
                     0,
                     0,
                     static_cast<char>(stream)};
    return head + payload;
}

std::string field(const std::string& name, const std::string& value)
{
    return std::string{'\0', static_cast<char>(name.size())} + name + static_cast<char>(value.size()) + value;
}

const std::string settings_frame = frame(4, 0, 0, "");
const std::string headers = frame(1, 4, 1, "\x88" + field("content-type", "application/grpc"));  // \x88: `:status: 200`
const std::string trailers = frame(1, 5, 1, field("grpc-status", "0"));

std::string data(const std::string& message, std::uint8_t compressed = 0)
{
    const std::size_t size = message.size();
    return frame(
        0, 0, 1,
        std::string{static_cast<char>(compressed), 0, 0, static_cast<char>(size >> 8), static_cast<char>(size)} +
            message);
}

/// A good answer to Version, byte by byte.
std::string good_answer()
{
    return settings_frame + headers + data(version_response("containerd", "v2.1.4")) + trailers;
}

RuntimeVersion ask_runtime(const std::filesystem::path& socket, std::chrono::milliseconds deadline = 5s)
{
    return CriClient(socket, deadline).version();
}

}  // namespace

TEST_CASE("an answer by hand is a good one", "[cri]")
{
    const RawServer server(good_answer(), RawServer::Then::hold);
    CHECK(ask_runtime(server.socket()).version == "v2.1.4");
}

TEST_CASE("an answer cut short is an error, wherever it is cut", "[cri]")
{
    const std::string whole = good_answer();
    for (std::size_t size = 0; size < whole.size(); size++) {
        CAPTURE(size);
        const RawServer server(whole.substr(0, size), RawServer::Then::close);
        CHECK_THROWS_AS(ask_runtime(server.socket()), Error);
    }
}

TEST_CASE("an answer with a wrong byte never does harm", "[cri]")
{
    const std::string whole = good_answer();
    for (std::size_t place = 0; place < whole.size(); place++)
        for (const char wrong :
             {'\0', '\xff', static_cast<char>(whole[place] ^ 1), static_cast<char>(whole[place] ^ 4)}) {
            CAPTURE(place, wrong);
            std::string answer = whole;
            answer[place] = wrong;
            const RawServer server(answer, RawServer::Then::close);
            try {
                const RuntimeVersion version = ask_runtime(server.socket());
                CHECK(version.name.size() + version.version.size() <= whole.size());
            } catch (const Error& error) {
                CHECK(std::string(error.what()).find(server.socket().string()) != std::string::npos);
            }
        }
}

TEST_CASE("what isn't HTTP/2 is refused", "[cri]")
{
    const std::string bytes =
        GENERATE(std::string("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request"),
                 std::string("SSH-2.0-OpenSSH_9.2\r\n"), std::string(100, '\0'));
    const RawServer server(bytes, RawServer::Then::close);
    CHECK_THROWS_AS(ask_runtime(server.socket()), Error);
}

TEST_CASE("a server that never answers costs its deadline", "[cri]")
{
    const std::string start = GENERATE(std::string(), settings_frame, settings_frame + headers,
                                       settings_frame + headers + data("half of it"));
    const RawServer server(start, RawServer::Then::hold);
    require_refusal([&] { ask_runtime(server.socket(), 100ms); }, Code::try_again_later,
                    {"no answer within 100 ms", server.socket().string()});
}

TEST_CASE("a server that never stops is stopped", "[cri]")
{
    const std::string early = frame(1, 4, 1, std::string("\x08\x03") + "103");  // headers, but not the answer's yet
    const std::string ping = frame(6, 0, 0, "12345678");
    const auto [start, again] = GENERATE_COPY(table<std::string, std::string>({
        {settings_frame, ping},
        {settings_frame, settings_frame},
        {settings_frame, early},
        {settings_frame + headers, data(std::string(8000, 'x'))},
        {"", std::string(9000, '\x05')},
    }));
    const RawServer server(start + again, RawServer::Then::repeat);
    CHECK_THROWS_AS(ask_runtime(server.socket(), 3s), Error);
}

TEST_CASE("an answer with too many headers is refused", "[cri]")
{
    std::string many = "\x88";
    for (int i = 0; i < 100; i++)
        many += field("x-" + std::to_string(i), "y");
    const RawServer server(settings_frame + frame(1, 4, 1, many), RawServer::Then::hold);
    require_refusal([&] { ask_runtime(server.socket()); }, Code::io_failure, {"more than 64 headers"});
}

TEST_CASE("an answer larger than gRPC's limit is refused", "[cri]")
{
    const CriServer server(
        [](const std::string&, const std::string&) { return CriAnswer{.message = std::string((16 << 20) + 1, 'x')}; });
    require_refusal([&] { ask_runtime(server.socket(), 30s); }, Code::io_failure, {"larger than", "16777221"});
}

TEST_CASE("a message that isn't framed as one is refused", "[cri]")
{
    const auto [answer, reason] = GENERATE_COPY(table<std::string, std::string>({
        {settings_frame + headers + trailers, "ends before its message"},
        {settings_frame + headers + data("x", 1) + trailers, "compressed"},
        {settings_frame + headers + data("x") + data("y") + trailers,
         "says that its message has 1 bytes, and brings 7"},
        {settings_frame + headers + frame(0, 1, 1, std::string(5, '\0')), "no gRPC status"},
        {settings_frame + headers + frame(1, 5, 1, field("grpc-status", "zero")), "gRPC status is \"zero\""},
        {settings_frame + headers + frame(3, 0, 1, std::string("\0\0\0\x07", 4)), "broken off"},
    }));
    const RawServer server(answer, RawServer::Then::hold);
    require_refusal([&] { ask_runtime(server.socket()); }, Code::io_failure, {reason});
}

TEST_CASE("a socket that nobody serves is told with what to do", "[cri]")
{
    const TemporaryDirectory directory;
    const std::filesystem::path path = directory.path() / "none.sock";
    require_refusal([&] { ask_runtime(path); }, Code::try_again_later,
                    {path.string(), "No such file or directory", "does the container runtime run"});
    require_refusal([&] { ask_runtime("/" + std::string(200, 'x')); }, Code::io_failure, {"longer than the 107 bytes"});
    require_refusal([&] { ask_runtime("/dev/null"); }, Code::try_again_later, {"Connection refused"});
}

TEST_CASE("a server that accepts nobody costs the deadline", "[cri]")
{
    const TemporaryDirectory directory;
    const std::filesystem::path path = directory.path() / "full.sock";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    const UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(listen(listener.get(), 0) == 0);
    std::vector<UniqueFd> waiting;
    for (int i = 0; i < 3; i++) {
        waiting.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        (void)::connect(waiting.back().get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
    require_refusal([&] { ask_runtime(path, 100ms); }, Code::try_again_later, {"no answer within 100 ms"});
}
