// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/words.hpp"

#include "sallyport/abi.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace sallyport {

namespace {

constexpr std::size_t longest_reason = sizeof abi::pod_word::reason - 1;

const PodWord* find(const PodWords& said, const BoundPod& pod)
{
    if (const auto known = said.find(pod.pod_uid); known != said.end())
        return &known->second;
    // Not by the name alone where there is a uid: the next pod of a StatefulSet has the name of the one before it.
    const auto named = std::ranges::find_if(said, [&](const auto& one) {
        const PodWord& word = one.second;
        return word.name == pod.pod_name && word.pod_namespace == pod.pod_namespace &&
               (pod.pod_uid.empty() || word.static_uid == pod.pod_uid);
    });
    return named == said.end() ? nullptr : &named->second;
}

Instant since(std::chrono::system_clock::time_point then, Instant now, std::chrono::system_clock::time_point wall_now)
{
    const auto passed = std::chrono::duration_cast<Instant::duration>(wall_now - then);
    return now - std::max(passed, Instant::duration(0));  // another machine's clock may be ahead of ours
}

Word ending(const std::optional<Word>& before, Instant began)
{
    return {.readiness = before ? before->readiness : Readiness::unknown,
            .ending = true,
            .since = before && before->ending ? before->since : std::optional(began)};
}

Word word_on(const PodWord& said, const std::optional<Word>& before, Instant now,
             std::chrono::system_clock::time_point wall_now)
{
    Word word;
    if (said.ending_since || said.over)
        word = ending(before, said.ending_since ? since(*said.ending_since, now, wall_now) : now);
    word.readiness = said.ready ? Readiness::ready : Readiness::not_ready;
    if (said.ready || word.ending)
        return word;
    word.reason = said.why_not_ready.substr(0, longest_reason);
    if (before)  // else it may have been so for long
        word.since = before->readiness == Readiness::not_ready ? before->since : now;
    return word;
}

}  // namespace

std::map<std::uint64_t, Word> words_on(const std::vector<BoundPod>& pods, const PodWords& said,
                                       const std::map<std::uint64_t, Word>& before, Instant now,
                                       std::chrono::system_clock::time_point wall_now)
{
    std::map<std::uint64_t, Word> words;
    for (const BoundPod& pod : pods) {
        const auto known = before.find(pod.generation);
        const auto last = known == before.end() ? std::nullopt : std::optional(known->second);
        if (const PodWord* word = find(said, pod))
            words.emplace(pod.generation, word_on(*word, last, now, wall_now));
        else if (last)
            words.emplace(pod.generation, ending(last, now));
    }
    return words;
}

}  // namespace sallyport
