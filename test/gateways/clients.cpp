// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "gateways/clients.hpp"

#include "support/traffic.hpp"

#include <strings.h>

#include <string_view>
#include <system_error>

namespace sallyport::test {
namespace {

constexpr int clients = 16;
constexpr std::chrono::milliseconds thinking{5};
constexpr std::chrono::milliseconds pause{10};  // between two requests of a client

/// What all servers here send; some of them close a connection only a second later.
constexpr std::string_view content_length = "Content-Length:";

/// As long as a held first packet may take, with the client's retransmissions after 1, 3, 7 and 15 s.
constexpr std::chrono::seconds connecting{20};

}  // namespace

std::string first_request(const Namespace& client, const Target& target, std::chrono::milliseconds think)
{
    try {
        Connection connection(client, target, {.limit = connecting});
        std::this_thread::sleep_for(think);
        if (!connection.send("GET / HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n"))
            return "gone before the request";
        const std::string status = connection.read_line();
        if (status.empty())
            return "closed without an answer";
        if (!status.starts_with("HTTP/1.1 200 "))
            return status;
        std::size_t length = 0;
        for (std::string line = connection.read_line(); line.size() > 1; line = connection.read_line())
            if (strncasecmp(line.c_str(), content_length.data(), content_length.size()) == 0)
                length = std::stoul(line.substr(content_length.size()));
        return length > 0 && connection.read(length).size() == length ? "" : "half an answer";
    } catch (const std::system_error& error) {
        return error.code().message();
    }
}

std::string Answers::to_string() const
{
    unsigned long failed = 0;
    std::string reasons;
    for (const auto& [reason, count] : failures) {
        failed += count;
        reasons += (reasons.empty() ? " (" : "; ") + reason + ": " + std::to_string(count);
    }
    return std::to_string(failed) + " of " + std::to_string(requests) + (reasons.empty() ? "" : reasons + ')');
}

Clients::Clients(const Namespace& netns, const Target& target)
{
    for (int i = 0; i < clients; i++)
        threads_.emplace_back([this, &netns, target, i] { ask(netns, target, i % 2 == 0 ? thinking : thinking * 0); });
}

Clients::~Clients()
{
    stop();
}

void Clients::ask(const Namespace& netns, const Target& target, std::chrono::milliseconds think)
{
    while (!stop_) {
        const std::string failure = first_request(netns, target, think);
        {
            const std::scoped_lock lock(mutex_);
            answers_.requests++;
            if (!failure.empty())
                answers_.failures[failure]++;
        }
        std::this_thread::sleep_for(pause);
    }
}

Answers Clients::stop()
{
    stop_ = true;
    for (std::thread& thread : threads_)
        thread.join();
    threads_.clear();
    return answers_;
}

}  // namespace sallyport::test
