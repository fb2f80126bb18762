// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/vanished.hpp"

namespace sallyport {

std::vector<BoundPod> forget_vanished_pods(Bindings& bindings, const Identify& identify)
{
    std::vector<BoundPod> vanished;
    for (const BoundPod& pod : bindings.pods()) {
        if (!pod.gone && identify(pod.netns) == pod.netns_identity)
            continue;
        bindings.unbind(pod.id);
        vanished.push_back(pod);
    }
    return vanished;
}

std::vector<BoundPod> forget_predecessors(Bindings& bindings, const AttachmentId& successor, const std::string& network,
                                          const std::vector<Address>& addresses)
{
    std::vector<BoundPod> predecessors;
    for (const Address& address : addresses) {
        const auto holder = bindings.last_holder_of(address);
        if (!holder || holder->id == successor || (holder->network != network && !holder->gone))
            continue;
        bindings.unbind(holder->id);
        predecessors.push_back(*holder);
    }
    return predecessors;
}

}  // namespace sallyport
