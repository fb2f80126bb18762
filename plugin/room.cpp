// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/room.hpp"

#include "sallyport/error.hpp"
#include "sallyport/listed.hpp"

#include <algorithm>
#include <iterator>
#include <map>

namespace sallyport {
namespace {

constexpr std::size_t named_pods = 3;

constexpr const char* advice =
    "; remove items of sallyport.dev/remap there, or let pods run on other nodes (a port of a pod with IPv4 and IPv6 "
    "counts twice)";

std::size_t remaps_of(const std::vector<PodShare>& pods)
{
    std::size_t sum = 0;
    for (const PodShare& pod : pods)
        sum += pod.remaps;
    return sum;
}

/// Whole namespaces, as if each were a pod.
std::vector<PodShare> by_namespace(const std::vector<PodShare>& pods)
{
    std::map<std::string, PodShare> sums;
    for (const PodShare& pod : pods) {
        PodShare& sum = sums[pod.pod_namespace];
        sum.pod = "namespace " + in_quotes(pod.pod_namespace);
        sum.remaps += pod.remaps;
    }
    std::vector<PodShare> namespaces;
    std::ranges::transform(sums, std::back_inserter(namespaces), [](const auto& entry) { return entry.second; });
    return namespaces;
}

}  // namespace

void refuse_without_room(const std::string& pod_namespace, std::size_t remaps, const std::vector<PodShare>& others)
{
    if (remaps == 0)
        return;
    std::vector<PodShare> own;
    std::ranges::copy_if(others, std::back_inserter(own),
                         [&](const PodShare& pod) { return pod.pod_namespace == pod_namespace && pod.remaps > 0; });
    if (remaps_of(own) + remaps > room_of_a_namespace)
        throw Error(Code::try_again_later, "namespace " + in_quotes(pod_namespace) + " may remap " +
                                               std::to_string(room_of_a_namespace) + " ports on a node, and " +
                                               std::to_string(remaps) + " more don't fit beside those of " +
                                               largest_of(own) + advice);
    if (remaps_of(others) + remaps > room_for_remaps)
        throw Error(Code::try_again_later, "this node has room for " + std::to_string(room_for_remaps) +
                                               " remapped ports, and " + std::to_string(remaps) +
                                               " more don't fit beside those of " + largest_of(by_namespace(others)) +
                                               advice);
    const auto remapping =
        std::ranges::count_if(others, [](const PodShare& pod) { return pod.remaps > 0 && pod.exposures == 0; });
    if (static_cast<std::size_t>(remapping) >= room_for_remapping_pods)
        throw Error(Code::try_again_later, "this node has room for " + std::to_string(room_for_remapping_pods) +
                                               " pods that remap ports, and has them; let pods run on other nodes");
}

std::string largest_of(std::vector<PodShare> pods)
{
    const auto size = [](const PodShare& pod) { return pod.remaps + pod.exposures; };
    std::ranges::stable_sort(pods, std::ranges::greater{}, size);
    const std::size_t left_out = pods.size() - std::min(pods.size(), named_pods);
    pods.resize(pods.size() - left_out);
    return listed(pods, [&](const PodShare& pod) { return pod.pod + " (" + std::to_string(size(pod)) + ")"; }) +
           (left_out == 0 ? "" : " and " + std::to_string(left_out) + " more");
}

}  // namespace sallyport
