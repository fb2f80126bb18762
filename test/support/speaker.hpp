// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A server that has the first word in each connection, and may have the next one after any time; and clients that come
// and go.
#pragma once

#include "support/sockets.hpp"

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace sallyport::test {

/// Says `welcome` to whoever connects, and then as the client's first line asks:
///   leave   -> `bye`, and closes
///   speak   -> `so be it`; each line after that comes back
///   listen  -> the same; and hears what `speak` is told
class Speaker
{
public:
    Speaker(const Namespace& netns, const Target& listen);
    ~Speaker();

    void speak(std::string_view text) const;

private:
    struct Client
    {
        UniqueFd socket;
        std::string kind;  ///< its first line
    };

    void serve();
    void accept_all();
    bool answer(Client& client) const;

    UniqueFd listener_;
    UniqueFd epoll_;
    mutable std::mutex mutex_;  ///< of clients_
    std::map<int, Client> clients_;
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

/// So many connections to a Speaker, one after the other, each of which the server closes. "" or what went wrong first.
std::string come_and_go(const Namespace& netns, const Target& target, std::uint32_t count);

}  // namespace sallyport::test
