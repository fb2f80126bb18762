// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A live translation, as the flow tables have it.
#pragma once

#include "sallyport/bindings.hpp"

#include <cstdint>

namespace sallyport {

struct Flow
{
    bool established = false;  ///< handshake completed, or a datagram answered
    bool closing = false;      ///< one side has sent FIN
    Address client;
    std::uint16_t client_port = 0;
    std::uint16_t shown_port = 0;  ///< the client port that the pod sees: another one where two flows would clash
    NodePort asked;                ///< where the client sent it
    NodePort node_port;            ///< the exposure's: "any" where that says so
    Backend backend;
    std::uint64_t generation = 0;  ///< the pod's
    Instant last_seen;
};

}  // namespace sallyport
