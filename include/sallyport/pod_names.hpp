// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Which pod of this node has an address, for messages and for who may share a port with whom.
#pragma once

#include "sallyport/bindings.hpp"
#include "sallyport/frontend.hpp"

#include <map>
#include <string>

namespace sallyport {

class PodNames
{
public:
    /// Knows gateway pods from the tables. For others it asks the container runtime, once, when first needed;
    /// `cri_socket` as in NodeOptions.
    explicit PodNames(const Bindings& bindings, std::string cri_socket = "auto");

    /// nullopt where it is no pod's of this node, or the runtime can't be asked.
    std::optional<PodName> of(const Address& address);

private:
    void ask_runtime();

    std::map<Address, PodName> names_;
    std::string cri_socket_;
    bool asked_ = false;
};

}  // namespace sallyport
