// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/vanished.hpp"

namespace sallyport {

std::vector<BoundPod> forget_vanished_pods(Bindings& bindings, const Identify& identify)
{
    std::vector<BoundPod> vanished;
    for (const BoundPod& pod : bindings.pods()) {
        if (identify(pod.netns) == pod.netns_identity)
            continue;
        bindings.unbind(pod.id);
        vanished.push_back(pod);
    }
    return vanished;
}

}  // namespace sallyport
