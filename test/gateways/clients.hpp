// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Clients whose every request is the first of a connection.
#pragma once

#include "support/sockets.hpp"

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace sallyport::test {

/// Asks for / on a new connection, `think` after it was made. "" for a whole answer with status 200, else what came of
/// it.
std::string first_request(const Namespace& client, const Target& target, std::chrono::milliseconds think = {});

/// What clients have seen.
struct Answers
{
    unsigned long requests = 0;
    std::map<std::string, unsigned long> failures;  ///< by what came instead

    /// "0 of 1234", "3 of 1234 (Connection reset by peer: 3)"
    std::string to_string() const;
};

/// Sixteen who ask again and again; every other one lets some milliseconds pass between its connection and its request.
class Clients
{
public:
    Clients(const Namespace& netns, const Target& target);
    ~Clients();

    /// Once all that was asked is answered.
    Answers stop();

private:
    void ask(const Namespace& netns, const Target& target, std::chrono::milliseconds think);

    std::atomic<bool> stop_{false};
    std::mutex mutex_;
    Answers answers_;
    std::vector<std::thread> threads_;
};

}  // namespace sallyport::test
