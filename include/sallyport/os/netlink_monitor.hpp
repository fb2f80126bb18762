// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Notices that the node's network has changed: an address, a device, a default route. What it is now is asked anew
// (read_node_network()); the messages say only that it's time to.
#pragma once

#include "sallyport/os/unique_fd.hpp"

namespace sallyport {

class NetlinkMonitor
{
public:
    /// Of the network namespace that the caller is in. Throws Error(node_lacks) where the kernel refuses.
    NetlinkMonitor();

    /// Readable once something has happened.
    int fd() const { return socket_.get(); }

    /// Takes what has come, without waiting. True where something that we follow has changed, or may have: a socket
    /// that overflowed has lost messages.
    bool drain() const;

private:
    UniqueFd socket_;
};

}  // namespace sallyport
