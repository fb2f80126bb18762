// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Two tun devices, `tun0` in each of two namespaces, and a thread that carries packets from one to the other: a link
// without Ethernet header, as WireGuard's is.
#pragma once

#include "support/netns.hpp"

#include <atomic>
#include <thread>

namespace sallyport::test {

class Tunnel
{
public:
    static bool possible();

    Tunnel(const Namespace& one, const Namespace& other);
    Tunnel(const Tunnel&) = delete;
    Tunnel& operator=(const Tunnel&) = delete;
    ~Tunnel();

private:
    void carry() const;

    UniqueFd one_;
    UniqueFd other_;
    std::atomic<bool> stop_{false};
    std::thread carrier_;
};

}  // namespace sallyport::test
