// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/choice.hpp"

#include "sallyport/duration.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace sallyport {

namespace {

bool settled(const Candidate& candidate, const Sharing& sharing)
{
    return candidate.listening && candidate.listening_for >= sharing.settle;
}

/// The youngest that has settled, else the oldest that listens, else the list's end.
std::size_t chosen_place(const std::vector<Candidate>& candidates, const Sharing& sharing)
{
    const auto youngest = std::find_if(candidates.begin(), candidates.end(),
                                       [&](const Candidate& candidate) { return settled(candidate, sharing); });
    if (youngest != candidates.end())
        return static_cast<std::size_t>(youngest - candidates.begin());
    const auto oldest = std::find_if(candidates.rbegin(), candidates.rend(),
                                     [](const Candidate& candidate) { return candidate.listening; });
    return oldest == candidates.rend() ? candidates.size()
                                       : static_cast<std::size_t>(std::next(oldest).base() - candidates.begin());
}

std::string why_chosen(const std::vector<Candidate>& candidates, std::size_t place, const Sharing& sharing)
{
    const std::string wait = to_string(sharing.settle);
    if (!settled(candidates[place], sharing))
        return "oldest that listens; none has for " + wait + " yet";
    if (sharing.share == Share::spread)
        return "listens; takes its share of the clients";
    if (sharing.settle == std::chrono::milliseconds(0))
        return "youngest that listens";
    const bool one_settles = std::any_of(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(place),
                                         [](const Candidate& younger) { return younger.listening; });
    return one_settles ? "older; the younger one hasn't settled yet" : "youngest that has listened for " + wait;
}

std::string why_not(const Candidate& candidate, bool younger_chosen, const Sharing& sharing)
{
    if (!candidate.listening)
        return "nothing listens on " + candidate.listener.to_string();
    if (younger_chosen)
        return "a younger pod listens";
    const auto seconds = std::chrono::floor<std::chrono::seconds>(candidate.listening_for);
    return "has listened for " + to_string(seconds) + ", settles for " + to_string(sharing.settle);
}

}  // namespace

std::vector<Choice> choose(const std::vector<Candidate>& candidates, const Sharing& sharing)
{
    const std::size_t chosen = chosen_place(candidates, sharing);
    const bool spreads = sharing.share == Share::spread;
    std::vector<Choice> choices;
    for (std::size_t i = 0; i < candidates.size(); i++) {
        const bool takes_new = i == chosen || (spreads && settled(candidates[i], sharing));
        choices.push_back({takes_new, takes_new ? why_chosen(candidates, i, sharing)
                                                : why_not(candidates[i], i > chosen && !spreads, sharing)});
    }
    return choices;
}

}  // namespace sallyport
