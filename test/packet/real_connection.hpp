// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A connection between sockets within the pod's namespace, as if it came from the client: what the programs find there.
#pragma once

#include "fixture.hpp"
#include "support/traffic.hpp"

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

    Connection client;
    UniqueFd server;
};

}  // namespace sallyport::test
