// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Sends back what it gets, over TCP and UDP, to thousands of clients at once; and clients that tell each other apart.
#pragma once

#include "support/traffic.hpp"

#include <atomic>
#include <map>
#include <string>
#include <thread>

namespace sallyport::test {

/// One thread for all connections, so that many idle ones cost nothing.
class EchoServer
{
public:
    EchoServer(const Namespace& netns, const Target& listen);
    ~EchoServer();

private:
    void serve();
    void accept_all();
    void answer_datagrams() const;

    UniqueFd listener_;
    UniqueFd datagrams_;
    UniqueFd epoll_;
    std::map<int, UniqueFd> connections_;
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

/// A client of an EchoServer: `protocol` is IPPROTO_TCP or IPPROTO_UDP.
class EchoClient
{
public:
    /// Throws std::system_error where it can't connect.
    EchoClient(const Namespace& netns, int protocol, const Target& target, const DialOptions& options = {});

    bool send(const std::string& text) const;
    /// What came back, of `size` bytes at most; less where nothing more comes.
    std::string receive(std::size_t size) const;
    /// What is there already.
    std::string waiting() const;
    /// TCP: says that no more comes, and waits until the server has said so too. False where it doesn't.
    bool finish() const;
    /// Sends and receives; "" where all came back, and otherwise what did.
    std::string echo(const std::string& text) const;

private:
    UniqueFd socket_;
};

}  // namespace sallyport::test
