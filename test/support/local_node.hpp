// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A node with a cgroup, for what its own processes and its pods reach and may bind. A test makes its gateways first,
// and then becomes a local process by a Stay in `processes`.
#pragma once

#include "support/cgroup.hpp"
#include "support/node.hpp"
#include "support/traffic.hpp"

#include <poll.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>

namespace sallyport::test {

/// The cgroup that local processes live in, as system.slice or kubepods.slice on a real node.
inline const std::string processes = "processes.slice";

struct LocalNode : Node
{
    LocalNode()
    {
        cgroup.add(processes);
        plugin["cgroup"] = cgroup.path().string();
    }

    Cgroup cgroup;
};

/// A gateway that listens on its port 9080, TCP and UDP, and says its name.
struct LocalGateway
{
    LocalGateway(Node& node, const std::string& name, const std::string& expose, const std::string& share = "newest")
        : pod(node, {.name = name, .expose = expose, .annotations = {{"sallyport.dev/share", share}}})
    {}

    void listen()
    {
        tcp.emplace(pod.netns, pod.spec().name, Target{"::", 9080});
        udp.emplace(pod.netns, pod.spec().name, Target{"::", 9080});
    }

    void close()
    {
        tcp.reset();
        udp.reset();
    }

    Pod pod;
    std::optional<TcpServer> tcp;
    std::optional<UdpServer> udp;
};

/// The first word of what a server answers: its name. Else what was heard: `refused`, `silence`, ...
inline std::string name_in(const std::string& answer)
{
    return answer.substr(0, answer.find(' '));
}

/// A UDP socket that never connects.
class DatagramSocket
{
public:
    DatagramSocket(const Namespace& netns, int family) : socket_(open_socket(netns, family, SOCK_DGRAM)) {}

    struct Datagram
    {
        std::string text;  ///< `silence` where none came
        Target from;
    };

    Datagram ask(const Target& target, std::chrono::milliseconds limit = patience) const
    {
        return send(target) ? receive(limit) : Datagram{std::strerror(errno), {}};
    }

    bool send(const Target& target) const
    {
        const SocketAddress to(target);
        return sendto(socket_.get(), "who", 3, 0, to.raw(), to.size) == 3;
    }

    Datagram receive(std::chrono::milliseconds limit = patience) const
    {
        char buffer[2048];
        SocketAddress from;
        if (!wait_for(socket_.get(), POLLIN, limit))
            return {"silence", {}};
        const ssize_t count = recvfrom(socket_.get(), buffer, sizeof buffer, 0, from.raw(), &from.size);
        return count < 0 ? Datagram{std::strerror(errno), {}}
                         : Datagram{{buffer, static_cast<std::size_t>(count)}, from.target()};
    }

private:
    UniqueFd socket_;
};

}  // namespace sallyport::test
