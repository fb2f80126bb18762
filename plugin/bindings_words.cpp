// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What Kubernetes says of bound pods, in the tables. The datapath only reads it.
#include "sallyport/bindings.hpp"

#include "sallyport/records.hpp"

#include <utility>

namespace sallyport {

namespace {

bool says_otherwise(const abi::pod_word& now, const abi::pod_word& before)
{
    return now.ending != before.ending || now.readiness != before.readiness;
}

}  // namespace

void Bindings::hear(const std::map<std::uint64_t, Word>& words)
{
    std::map<std::uint64_t, abi::pod_word> before;
    for (const auto& [generation, word] : tables_.words.all())
        before.emplace(generation, word);
    std::map<std::uint64_t, abi::pod> bound;
    for (const auto& [key, owner] : tables_.pods.all())
        bound.emplace(owner.id, owner);
    for (const auto& [generation, word] : words) {
        const auto owner = bound.find(generation);
        if (owner == bound.end())
            continue;
        const abi::pod_word record = word_record(word, now_());
        tables_.words.put(generation, record);
        if (tell_ && (!before.contains(generation) || says_otherwise(record, before.at(generation))))
            tell_(word_event(owner->second, record));
    }
    for (const auto& [generation, word] : before)
        if (!bound.contains(generation))
            tables_.words.erase(generation);  // the last time, unbind() came between two lines above
}

std::map<std::uint64_t, Word> Bindings::words() const
{
    std::map<std::uint64_t, Word> words;
    for (const auto& [generation, record] : tables_.words.all())
        if (auto word = word_from(record, now_()))
            words.emplace(generation, std::move(*word));
    return words;
}

}  // namespace sallyport
