// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Gateways and clients for tests. A gateway says its name and whom it sees; a client says what came back, and if
// nothing did, why.
#pragma once

#include "support/sockets.hpp"

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace sallyport::test {

/// Serves TCP. A connection's first line is a question:
///   who      -> `<name> <client's address>`
///   take     -> reads to the end, answers `<count> <digest>`
///   give N   -> N bytes of `pattern`
///   echo     -> `ready`, then everything back, line by line
class TcpServer
{
public:
    TcpServer(const Namespace& netns, std::string name, const Target& listen, const BindOptions& options = {});
    ~TcpServer();

private:
    void accept_all();
    void serve(int socket, const std::string& client) const;

    std::string name_;
    UniqueFd listener_;
    std::atomic<bool> stop_{false};
    std::vector<std::thread> connections_;
    std::thread acceptor_;
};

/// Answers each datagram with `<name> <client's address> <size>`.
class UdpServer
{
public:
    UdpServer(const Namespace& netns, std::string name, const Target& listen, const BindOptions& options = {});
    ~UdpServer();

private:
    void answer_all() const;

    std::string name_;
    UniqueFd socket_;
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

struct DialOptions
{
    std::optional<Target> source{};  ///< address and port to bind to; port 0 for any
    std::string ip_options{};        ///< bytes for IP_OPTIONS
    bool no_checksum = false;        ///< UDP over IPv4 without a checksum (SO_NO_CHECK)
    std::chrono::milliseconds limit = patience;
};

/// A connected socket, TCP or UDP. Throws std::system_error: ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ...
UniqueFd dial(const Namespace& netns, int protocol, const Target& target, const DialOptions& options = {});

/// A TCP connection of a client.
class Connection
{
public:
    /// Throws as `dial`.
    Connection(const Namespace& netns, const Target& target, const DialOptions& options = {});

    int fd() const { return socket_.get(); }
    bool send(std::string_view data) { return send_all(fd(), data); }
    void finish();            ///< no more to send
    std::string read_line();  ///< without its end; what there was where the connection ends first
    std::string read_all();
    std::string read(std::size_t size);  ///< less where the connection ends first

private:
    bool receive();

    UniqueFd socket_;
    std::string buffer_;
};

/// What a client hears: the server's answer, or `refused`, `silence`, or the error's text.
std::string ask_tcp(const Namespace& netns, const Target& target, const DialOptions& options = {});
std::string ask_udp(const Namespace& netns, const Target& target, const DialOptions& options = {},
                    const std::string& datagram = "who");

/// `size` bytes up, then as many down. "" if both arrived unharmed, else what was wrong.
std::string transfer_both_ways(const Namespace& netns, const Target& target, std::size_t size);

}  // namespace sallyport::test
