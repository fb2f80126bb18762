// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The programs of pod.bpf.c, as they stand on the device of one pod: over the node's tables, run inside its namespace.
#pragma once

#include "fixture.hpp"

namespace sallyport::test {

class PodPrograms
{
public:
    PodPrograms(const Programs& node, const TestPod& pod) : object_(load_pod(node.object())), pod_(pod) {}

    Outcome ingress(const Packet& packet) const { return run("pod_ingress", packet); }
    Outcome egress(const Packet& packet) const { return run("pod_egress", packet); }
    Outcome run(const char* program, const Packet& packet) const;
    Outcome run(const char* program, const Bytes& bytes) const;

private:
    Skeleton<::pod> object_;
    const TestPod& pod_;
};

/// A pod that remaps its port 80 to the one that it listens on, 9080.
struct RemappingGateway
{
    explicit RemappingGateway(Kind kind);

    /// From the client to the pod's port 80.
    Packet request(Kind kind, std::uint16_t client_port = 40000) const;

    /// A whole connection setup, or a datagram and its answer, past the pod's programs.
    void open_flow(Kind kind, std::uint16_t client_port = 40000) const;

    Programs programs;
    TestPod pod{7, "10.0.0.7", "fd00::7"};
    UniqueFd listener;
    PodPrograms inside;
    Target pod_port;  ///< 80 at the pod
};

}  // namespace sallyport::test
