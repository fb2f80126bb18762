// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Gateway pods that were started before the plugin stood in the chain: bound in place, as ADD would have done it, with
// the same checks and the same refusals. Their runtime calls DEL for them as for any other pod, since it does so with
// the chain of that time; where it doesn't, they go like every pod that vanishes without.
//
// Only annotations count: a `hostPort` is in the hands of whichever plugin was there when its pod started. Without the
// runtime's socket nobody here knows which pods there are, much less their annotations: then none is adopted.
#pragma once

#include "sallyport/address.hpp"
#include "sallyport/config.hpp"
#include "sallyport/cri.hpp"

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace sallyport {

struct AdoptionResult
{
    enum class Outcome {
        adopted,
        bound,    ///< it is already, by ADD or by an earlier adoption
        refused,  ///< a pod whose annotations can't be served; nothing that the agent could put right
    };

    std::string container_id;
    std::string pod;  ///< `namespace/name`
    Outcome outcome{};
    std::string text;  ///< of those that were adopted what leads where, of those that were refused the reason

    auto operator<=>(const AdoptionResult&) const = default;
};

/// Looks at every pod of the runtime that is ready and asks for something of ours, oldest first: so the youngest takes
/// new connections. (It takes them from pods that were bound earlier too, whatever their age.) Costs one question where
/// all of them are bound already; takes the lock only to bind. `config.network` is the name of the active chain's
/// network. Ends before the next pod once it is told to `stop`. Throws Error where the runtime can't be asked, and
/// try_again_later where the lock is held for too long; what had been adopted by then stays.
std::vector<AdoptionResult> adopt_earlier_pods(const CriClient& runtime, const Config& config,
                                               const std::stop_token& stop = {});

/// Of `now`, what `before` didn't say: what is worth a line in the log. Pods that are bound never are.
std::vector<AdoptionResult> news_since(const std::vector<AdoptionResult>& before,
                                       const std::vector<AdoptionResult>& now);

/// A pod's addresses, at most one of each family.
struct PodAddresses
{
    std::optional<Address> v4;
    std::optional<Address> v6;
};

/// Those that ADD would have got from the primary plugin: what the runtime was told by it (`told`), as far as the pod's
/// device has them; the device's own where the runtime doesn't say. Throws Error(io_failure) where that leaves none.
PodAddresses choose_pod_addresses(const std::vector<std::string>& told, const std::vector<Address>& of_device);

}  // namespace sallyport
