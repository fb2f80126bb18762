// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// One GET or POST over a TLS connection of its own: its status, and then its body, read as it arrives. The service
// account's token and the authorities are read anew each time, as kubelet replaces them.
#pragma once

#include "socket.hpp"

#include "sallyport/kubernetes.hpp"

#include <chrono>
#include <memory>
#include <streambuf>
#include <string>

namespace sallyport::kubernetes {

struct Ask
{
    std::string target;
    std::string body{};  ///< JSON to POST; "": a GET
};

/// Is its answer's body: whole where it ends. Reading throws Error where it is cut short, isn't HTTP, or takes longer
/// than it may.
class Exchange final : public std::streambuf
{
public:
    /// Sends the request and waits for the head of the answer. Throws Error.
    Exchange(const Cluster& cluster, const Ask& ask, const Patience& patience);
    ~Exchange() override;

    unsigned status() const;
    std::chrono::seconds retry_after() const;  ///< 0 where there is none

    /// From now on the body may take until then.
    void wait_until(Instant until);

protected:
    int_type underflow() override;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace sallyport::kubernetes
