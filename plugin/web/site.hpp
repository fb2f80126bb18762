// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which path answers what.
#pragma once

#include "looks.hpp"
#include "reply.hpp"

#include "sallyport/web.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport::web {

/// `80`, `443/udp`, `443/tcp`: what follows `/ports/`. nullopt for anything else.
std::optional<PortLabel> parse_port_path(std::string_view text);

/// The family that `family=ipv4` or `family=ipv6` in a query asks for; the `other` one where it asks for none. nullopt
/// where it asks for something else.
std::optional<Family> parse_family(std::string_view query, Family other);

/// A text that is made once from each look, and the same for all who ask meanwhile.
class OfLook
{
public:
    template <typename Make>
    Body get(const Look& look, Make make)
    {
        if (number_ != look.number)
            body_ = std::make_shared<const std::string>(make(look));
        number_ = look.number;
        return body_;
    }

private:
    std::uint64_t number_ = 0;
    Body body_;
};

class Site
{
public:
    Site(const WebOptions& options, std::function<AgentState()> state);

    /// Throws Error where the node's state can't be read.
    Reply get(const Asked& asked);

private:
    Reply healthy() const;
    Reply ready() const;
    Reply port(std::string_view text, const Asked& asked) const;
    Reply metrics();
    Reply status();
    std::string metrics_of(const Look& look) const;
    std::string status_of(const Look& look) const;

    Paths paths_;
    BuildInfo build_;
    std::function<AgentState()> state_;
    Looks looks_;
    OfLook metrics_;
    OfLook status_;
};

}  // namespace sallyport::web
