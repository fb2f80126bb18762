// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which path answers what.
#pragma once

#include "looks.hpp"
#include "reply.hpp"

#include "sallyport/web.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace sallyport::web {

/// `80`, `443/udp`, `443/tcp`: what follows `/ports/`. nullopt for anything else.
std::optional<PortLabel> parse_port_path(std::string_view text);

class Site
{
public:
    Site(const WebOptions& options, std::function<AgentState()> state);

    /// Throws Error where the node's state can't be read.
    Reply get(const std::string& path);

private:
    Reply healthy() const;
    Reply ready() const;
    Reply port(std::string_view text) const;
    Reply metrics();
    Reply status();

    Paths paths_;
    BuildInfo build_;
    std::function<AgentState()> state_;
    Looks looks_;
};

}  // namespace sallyport::web
