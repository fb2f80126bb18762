// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What Kubernetes says of bound pods, in the tables. Whoever writes it doesn't race with the datapath, which only
// reads.
#include "sallyport/bindings.hpp"

#include "sallyport/records.hpp"

#include <algorithm>
#include <utility>

namespace sallyport {

bool Bindings::hear(std::uint64_t generation, const Word& word)
{
    const auto owners = tables_.pods.all();
    if (std::none_of(owners.begin(), owners.end(), [&](const auto& owner) { return owner.second.id == generation; }))
        return false;
    tables_.words.put(generation, word_record(word, now_()));
    return true;
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
