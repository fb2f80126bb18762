// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Pods that answer at their port 9080, TCP and UDP, IPv4 and IPv6, though their namespace has no listener there: the
// ways of service meshes, k3s' svclb, proxies, and machines within a pod.
#pragma once

#include "support/node.hpp"
#include "support/traffic.hpp"

#include <memory>
#include <string>
#include <vector>

namespace sallyport::test {

enum class Hiding {
    redirect,      ///< nftables sends the port to another one of the pod's: a mesh's sidecar
    elsewhere,     ///< nftables sends it to another pod: svclb
    tproxy,        ///< nftables hands it to a transparent socket of another port; TCP alone
    bound_device,  ///< the socket is bound to the pod's device, whose number is none of the node's
    machine,       ///< the pod's address belongs to a namespace within: a virtual machine's place
    gvisor,        ///< the pod's address belongs to a network stack that is a process: a real gVisor's
};

/// gVisor's runtime, where `make gvisor` names it (SALLYPORT_RUNSC); "" elsewhere.
std::string runsc();

std::string name_of(Hiding hiding);

/// The pod that it needs; to be started in it once it is there.
PodSpec spec_for(Hiding hiding, PodSpec spec);

class HiddenServer
{
public:
    /// Its answers begin with the pod's name.
    HiddenServer(Node& node, const Pod& pod, Hiding hiding);
    ~HiddenServer();

    bool has_udp() const { return hiding_ != Hiding::tproxy; }

    /// What the server says that its client is: the client, or where somebody on the way hides it the pod.
    bool shows_client() const { return hiding_ != Hiding::elsewhere; }

private:
    void listen(const Namespace& netns, std::uint16_t port, const BindOptions& options = {});

    Hiding hiding_;
    std::string name_;
    std::unique_ptr<Pod> other_;
    std::unique_ptr<Namespace> machine_;
    std::unique_ptr<class Sandboxed> gvisor_;
    std::vector<std::unique_ptr<TcpServer>> tcp_;
    std::vector<std::unique_ptr<UdpServer>> udp_;
};

}  // namespace sallyport::test
