// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/choice.hpp"

#include "sallyport/duration.hpp"

#include <algorithm>
#include <cstddef>

namespace sallyport {

namespace {

using std::chrono::milliseconds;

/// As enum standing of bpf/select.h: from the worst to the best. Of those below `ending` none is known to serve.
enum class Standing { nowhere, ending, unready, serves };

milliseconds since(Instant then, Instant now)
{
    return std::chrono::duration_cast<milliseconds>(std::max(now - then, Instant::duration(0)));
}

std::string seconds_since(Instant then, Instant now)
{
    return to_string(std::chrono::floor<std::chrono::seconds>(since(then, now)));
}

bool is_unready(const Candidate& candidate)
{
    return candidate.word && candidate.word->readiness == Readiness::not_ready;
}

Standing standing_of(const Candidate& candidate)
{
    return !serves(candidate)      ? Standing::nowhere
           : is_ending(candidate)  ? Standing::ending
           : is_unready(candidate) ? Standing::unready
                                   : Standing::serves;
}

bool settled(const Candidate& candidate, const Sharing& sharing, Instant now)
{
    return serves(candidate) && serving_for(candidate, now) >= sharing.settle;
}

/// The place of the youngest that has settled, else of the oldest that serves; among those of the best standing. The
/// list's end where nobody serves.
std::size_t chosen_place(const std::vector<Candidate>& candidates, Standing best, const Sharing& sharing, Instant now)
{
    std::size_t chosen = candidates.size();
    for (std::size_t i = 0; i < candidates.size(); i++) {
        if (best == Standing::nowhere || standing_of(candidates[i]) != best)
            continue;
        if (settled(candidates[i], sharing, now))
            return i;
        chosen = i;
    }
    return chosen;
}

/// "listens", or "answers" where its answers are the only witness.
std::string verb(const Candidate& candidate)
{
    return candidate.seen.listening_since ? "listens" : "answers";
}

std::string past(const Candidate& candidate)
{
    return candidate.seen.listening_since ? "has listened" : "has answered";
}

std::string why_first(const std::vector<Candidate>& candidates, std::size_t place, const Sharing& sharing, Instant now)
{
    const Candidate& chosen = candidates[place];
    const std::string wait = to_string(sharing.settle);
    if (!settled(chosen, sharing, now))
        return "oldest that " + verb(chosen) + "; none has for " + wait + " yet";
    if (sharing.share == Share::spread)
        return verb(chosen) + "; takes its share of the clients";
    if (sharing.settle == milliseconds(0))
        return "youngest that " + verb(chosen);
    const bool one_settles =
        std::any_of(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(place),
                    [&](const Candidate& younger) { return standing_of(younger) == standing_of(chosen); });
    return one_settles ? "older; the younger one hasn't settled yet" : "youngest that " + past(chosen) + " for " + wait;
}

std::string why_chosen(const std::vector<Candidate>& candidates, std::size_t place, const Sharing& sharing, Instant now)
{
    const Candidate& chosen = candidates[place];
    if (standing_of(chosen) == Standing::serves)
        return why_first(candidates, place, sharing, now) +
               (chosen.seen.listening_since ? "" : " (" + describe(chosen, now) + ")");
    return describe(chosen, now) + ", but nobody better serves";
}

std::string why_not(const Candidate& candidate, bool younger_chosen, const Sharing& sharing, Instant now)
{
    if (standing_of(candidate) != Standing::serves)
        return describe(candidate, now);
    if (younger_chosen)
        return "a younger pod serves";
    const auto seconds = std::chrono::floor<std::chrono::seconds>(serving_for(candidate, now));
    return past(candidate) + " for " + to_string(seconds) + ", settles for " + to_string(sharing.settle);
}

/// "since 3s", where that is known.
std::string since_text(const Word& word, Instant now)
{
    return word.since ? " since " + seconds_since(*word.since, now) : "";
}

}  // namespace

bool serves(const Candidate& candidate)
{
    return (candidate.seen.listening_since || candidate.seen.answering_since) && !candidate.seen.refused_at &&
           !candidate.seen.silent_since && !candidate.seen.gone;
}

std::string_view witness_of(const Candidate& candidate)
{
    return !serves(candidate) ? "none" : candidate.seen.listening_since ? "socket" : "answer";
}

milliseconds serving_for(const Candidate& candidate, Instant now)
{
    const auto began = candidate.seen.listening_since ? candidate.seen.listening_since : candidate.seen.answering_since;
    return began ? since(*began, now) : milliseconds(0);
}

bool is_ending(const Candidate& candidate)
{
    return candidate.word && candidate.word->ending;
}

bool takes_traffic(const Candidate& candidate)
{
    const Seen& seen = candidate.seen;
    const bool unknown = !seen.listening_since && !seen.answering_since && !seen.refused_at && !seen.silent_since;
    const bool said_to_be_ready = candidate.word && candidate.word->readiness == Readiness::ready;
    return !is_ending(candidate) && !seen.gone && (serves(candidate) || (unknown && said_to_be_ready));
}

std::string describe(const Candidate& candidate, Instant now)
{
    const Seen& seen = candidate.seen;
    if (seen.gone)
        return "gone: its network namespace has ended, and its runtime never called DEL";
    if (is_ending(candidate))
        return "ending" + since_text(*candidate.word, now);
    std::string socket = seen.listening_since ? "listens" : "no socket seen";
    if (seen.silent_since)
        return socket + ", left the last connections unanswered for " + seconds_since(*seen.silent_since, now);
    if (!seen.listening_since && !seen.answering_since && !seen.answered_at)
        return "nothing listens on " + candidate.listener.to_string();
    if (seen.refused_at)
        return (seen.listening_since ? "listens, but" : "nothing listens on " + candidate.listener.to_string() + ",") +
               " refused " + seconds_since(*seen.refused_at, now) + " ago";
    if (is_unready(candidate))
        return "not Ready" +
               (candidate.word->reason.empty() ? since_text(*candidate.word, now) : ": " + candidate.word->reason);
    if (!seen.listening_since && seen.answered_at)
        return socket + ", answered " + seconds_since(*seen.answered_at, now) + " ago";
    return socket;
}

std::vector<Choice> choose(const std::vector<Candidate>& candidates, const Sharing& sharing, Instant now)
{
    Standing best = Standing::nowhere;
    for (const Candidate& candidate : candidates)
        best = std::max(best, standing_of(candidate));
    const std::size_t chosen = chosen_place(candidates, best, sharing, now);
    const bool spreads = sharing.share == Share::spread;
    std::vector<Choice> choices;
    for (std::size_t i = 0; i < candidates.size(); i++) {
        const bool equal = standing_of(candidates[i]) == best && best != Standing::nowhere;
        const bool takes_new = i == chosen || (spreads && equal && settled(candidates[i], sharing, now));
        choices.push_back({takes_new, takes_new ? why_chosen(candidates, i, sharing, now)
                                                : why_not(candidates[i], i > chosen && !spreads, sharing, now)});
    }
    return choices;
}

}  // namespace sallyport
