// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// More network behind a Node's client, which becomes a router: a far client, and a link of smaller MTU on the way to
// it.
//
//   node -- 1500 -- client -- mtu -- middle -- 1500 -- far
//                             198.51.100.0/30          203.0.113.2, fd00:113::2
#pragma once

#include "support/node.hpp"

namespace sallyport::test {

inline const std::string far_v4 = "203.0.113.2";
inline const std::string far_v6 = "fd00:113::2";

class WideNetwork
{
public:
    /// Neither end sees from its own devices that there is a smaller MTU.
    WideNetwork(Node& node, unsigned mtu);

    Namespace middle;
    Namespace far;
};

}  // namespace sallyport::test
