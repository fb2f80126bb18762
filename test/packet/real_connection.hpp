// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A connection between sockets within the pod's namespace, as if it came from the client: what the programs find there.
#pragma once

#include "fixture.hpp"
#include "support/traffic.hpp"

#include <linux/tcp.h>

namespace sallyport::test {

struct RealConnection
{
    RealConnection(const TestPod& pod, const UniqueFd& listener, Kind kind, std::uint16_t client_port = 40000)
        : client(pod.netns, pod.at(kind), {.source = client_at(kind, client_port)}),
          server(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC))
    {
        REQUIRE(server);
    }

    RealConnection(const OneGateway& gateway, Kind kind, std::uint16_t client_port = 40000)
        : RealConnection(gateway.pod, gateway.listener, kind, client_port)
    {}

    /// The next sequence number that the server expects of its client.
    std::uint32_t expected() const
    {
        const int on = TCP_REPAIR_ON, off = TCP_REPAIR_OFF_NO_WP, queue = TCP_RECV_QUEUE;
        std::uint32_t sequence = 0;
        socklen_t size = sizeof sequence;
        REQUIRE(setsockopt(server.get(), IPPROTO_TCP, TCP_REPAIR, &on, sizeof on) == 0);
        REQUIRE(setsockopt(server.get(), IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof queue) == 0);
        REQUIRE(getsockopt(server.get(), IPPROTO_TCP, TCP_QUEUE_SEQ, &sequence, &size) == 0);
        REQUIRE(setsockopt(server.get(), IPPROTO_TCP, TCP_REPAIR, &off, sizeof off) == 0);
        return sequence;
    }

    Connection client;
    UniqueFd server;
};

}  // namespace sallyport::test
