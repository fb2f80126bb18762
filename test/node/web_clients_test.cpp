// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Bad and slow clients: whatever they do, the next good request is answered, and nothing stays of them.
#include "support/prometheus.hpp"
#include "support/require_ok.hpp"
#include "support/subprocess.hpp"
#include "support/traffic.hpp"
#include "support/web.hpp"

#include <catch2/catch_test_macros.hpp>
#include <sys/socket.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

using namespace sallyport::test;
using sallyport::UniqueFd;

namespace {

const std::string good = "GET /metrics HTTP/1.1\r\nHost: node\r\n\r\n";

bool serves(const Namespace& netns, const Web& web)
{
    const HttpAnswer answer = exchange(netns, web.at(), good);
    return answer.status == 200 && parse_metrics(answer.body).types.size() == 14;
}

/// In kB.
std::size_t resident_memory()
{
    const std::string field = "VmRSS:";
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(field))
            return std::stoul(line.substr(field.size()));
    return 0;
}

/// The server's, by their name.
std::size_t server_threads()
{
    std::size_t count = 0;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
        std::string name;
        std::ifstream(task.path() / "comm") >> name;
        count += name == "web" ? 1 : 0;
    }
    return count;
}

/// Until `count` says what it said before.
template <typename Count>
bool comes_back(std::size_t before, Count count)
{
    const auto end = std::chrono::steady_clock::now() + patience;
    while (count() > before && std::chrono::steady_clock::now() < end)
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return count() <= before;
}

/// Clients that send a byte of a request now and then, and open another connection for each that ends.
class Slowloris
{
public:
    Slowloris(const Namespace& netns, Target server, std::size_t sockets) : netns_(netns), server_(std::move(server))
    {
        for (std::size_t i = 0; i < sockets; i++)
            sockets_.push_back(connect_one());
        thread_ = std::thread([this] { go_on(); });
    }

    ~Slowloris()
    {
        stop_ = true;
        thread_.join();
    }

    std::size_t replaced() const { return replaced_; }

private:
    UniqueFd connect_one() const
    {
        UniqueFd socket = dial(netns_, IPPROTO_TCP, server_);
        send_all(socket.get(), "GET /metrics HTTP/1.1\r\nX-Slow: ");
        return socket;
    }

    void go_on()
    {
        while (!stop_) {
            for (UniqueFd& socket : sockets_) {
                char byte = 0;
                const bool open = recv(socket.get(), &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN &&
                                  send(socket.get(), "a", 1, MSG_NOSIGNAL) == 1;
                if (open || stop_)
                    continue;
                try {
                    socket = connect_one();
                } catch (const std::system_error&) {
                }
                replaced_++;
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
    }

    const Namespace& netns_;
    Target server_;
    std::vector<UniqueFd> sockets_;
    std::atomic<bool> stop_{false};
    std::atomic<std::size_t> replaced_{0};
    std::thread thread_;
};

}  // namespace

TEST_CASE("500 slow clients keep nobody out", "[web]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080"});
    require_ok(gateway.add());
    const Web web(node);
    REQUIRE(serves(node.host, web));
    const std::size_t descriptors = open_descriptors();
    const std::size_t memory = resident_memory();
    {
        const Slowloris slow(node.client, web.at(), 500);
        CHECK(open_descriptors() <= descriptors + 500 + 256 + 8);  // both ends are in this process
        for (int i = 0; i < 50; i++) {
            REQUIRE(serves(node.host, web));
            REQUIRE(serves(node.client, web));
            REQUIRE(web.get("/ports/80").status == 503);
            std::this_thread::sleep_for(std::chrono::milliseconds(40));
        }
        CHECK(slow.replaced() > 0);  // they lost places
        CHECK(server_threads() == 1);
        CHECK(resident_memory() < memory + 8 * 1024);
    }
    CHECK(comes_back(descriptors, open_descriptors));
    CHECK(serves(node.host, web));
}

TEST_CASE("clients that never read hold neither memory nor others", "[web]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080"});
    require_ok(gateway.add());
    const Web web(node);
    const std::size_t descriptors = open_descriptors();
    std::vector<UniqueFd> silent;
    for (int i = 0; i < 400; i++) {
        silent.push_back(dial(node.client, IPPROTO_TCP, web.at()));
        REQUIRE(send_all(silent.back().get(), "GET /page.js HTTP/1.1\r\n\r\n"));
    }
    CHECK(serves(node.client, web));
    CHECK(open_descriptors() <= descriptors + 400 + 256 + 8);
    silent.clear();
    CHECK(comes_back(descriptors, open_descriptors));
}

TEST_CASE("a head of 1 MB is refused, and its sender hears so", "[web]")
{
    const Node node;
    const Web web(node);
    const std::string field(1'000'000, 'x');
    const HttpAnswer answer = exchange(node.client, web.at(), "GET / HTTP/1.1\r\nX: " + field + "\r\n\r\n");
    CHECK(answer.status == 431);
    CHECK(exchange(node.client, web.at(), "GET /" + field + " HTTP/1.1\r\n\r\n").status == 431);
    CHECK(exchange(node.client, web.at(), "POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + field).status == 405);
    CHECK(serves(node.client, web));
}

TEST_CASE("what isn't HTTP is told so, or left", "[web]")
{
    const Node node;
    const Web web(node);
    const std::string client_hello("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11);
    CHECK(exchange(node.client, web.at(), client_hello).status == 400);
    CHECK(exchange(node.client, web.at(), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status == 400);
    CHECK(exchange(node.client, web.at(), std::string(64, '\0')).status == 400);
    CHECK(exchange(node.client, web.at(), "BREW /pot HTTP/1.1\r\n\r\n").status == 400);
    CHECK(exchange(node.client, web.at(), good + good + "\xff\xfe garbage").status == 200);  // the first, and no other
    Connection half(node.client, web.at());
    half.send(good);
    half.finish();
    CHECK(half.read_all().starts_with("HTTP/1.1 200 OK\r\n"));
    Connection unfinished(node.client, web.at());
    unfinished.send("GET / HT");
    unfinished.finish();
    CHECK(unfinished.read_all().empty());
    {
        const Connection gone(node.client, web.at());
    }  // says nothing, and leaves
    CHECK(serves(node.client, web));
}

TEST_CASE("a request in small pieces is a request", "[web]")
{
    const Node node;
    const Web web(node);
    Connection connection(node.client, web.at());
    for (const char byte : good) {
        connection.send({&byte, 1});
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    CHECK(connection.read_all().starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_CASE("fuzzed requests, and clients that go away in the middle", "[web]")
{
    const Node node;
    const Web web(node);
    const std::size_t descriptors = open_descriptors();
    std::mt19937 dice(9);
    for (int i = 0; i < 1500; i++) {
        std::string request =
            i % 3 == 0 ? good : "HEAD /ports/80?a=b HTTP/1.0\r\nRange: bytes=0-1,5-\r\nExpect: 100-continue\r\n\r\n";
        for (auto changes = dice() % 8; changes > 0; changes--)
            request[dice() % request.size()] = static_cast<char>(dice());
        request.resize(dice() % request.size() + 1);
        UniqueFd socket = dial(node.client, IPPROTO_TCP, web.at());
        send_all(socket.get(), request);
        if (i % 2 == 0) {  // with a reset
            const linger at_once{1, 0};
            setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        }
        if (i % 100 == 0)
            REQUIRE(serves(node.host, web));
    }
    CHECK(serves(node.client, web));
    CHECK(comes_back(descriptors, open_descriptors));
}

TEST_CASE("many who ask at once are all answered", "[web]")
{
    Node node;
    Pod gateway(node, {.expose = "80:9080"});
    require_ok(gateway.add());
    const Web web(node);
    std::atomic<int> answered{0};
    std::vector<std::thread> clients;
    for (int i = 0; i < 20; i++)
        clients.emplace_back([&] {
            for (int n = 0; n < 20; n++)
                answered += serves(node.client, web) ? 1 : 0;
        });
    for (std::thread& client : clients)
        client.join();
    CHECK(answered == 400);
}
