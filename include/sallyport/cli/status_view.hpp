// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A node's report as people read it.
#pragma once

#include "sallyport/cli/screen.hpp"
#include "sallyport/report.hpp"

#include <string>
#include <vector>

namespace sallyport {

/// `80/tcp` for a port of any address, else `192.0.2.1:80/tcp`.
std::string short_name(const NodePort& node_port);

/// `namespace/name`, or the container's id.
std::string full_name(const PodReport& pod);

/// One line of the table: a node port, or its IPv4 and its IPv6 half where the same is to be said of both.
struct PortGroup
{
    std::string name;
    std::vector<NodePortReport> halves;  ///< one or two, of the same pods in the same order
};

/// A port at 0.0.0.0 and at [::] becomes one where sharing, pods, who listens and who takes new connections agree.
std::vector<PortGroup> group_ports(const std::vector<NodePortReport>& ports);

/// All of it, with a final newline.
std::string render_status(const NodeReport& report, const Screen& screen);

}  // namespace sallyport
