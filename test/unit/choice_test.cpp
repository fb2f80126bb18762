// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/choice.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport;
using namespace std::chrono_literals;

namespace {

const Instant choice_time{1000h};

Candidate silent()
{
    return {{*Address::parse("10.0.0.1"), PodPort{9080}, Protocol::tcp}};
}

Candidate listens_for(std::chrono::milliseconds duration)
{
    Candidate candidate = silent();
    candidate.seen.listening_since = choice_time - duration;
    return candidate;
}

/// It has answered for so long, the last time 2 s ago, and no socket is seen.
Candidate answers_for(std::chrono::milliseconds duration)
{
    Candidate candidate = silent();
    candidate.seen.answering_since = choice_time - duration;
    candidate.seen.answered_at = choice_time - 2s;
    return candidate;
}

Candidate said(Candidate candidate, Word word)
{
    candidate.word = std::move(word);
    return candidate;
}

const Word ready_word{.readiness = Readiness::ready};
const Word unready{.readiness = Readiness::not_ready, .reason = "ContainersNotReady"};
const Word ending{.ending = true, .since = choice_time - 3s};

/// "yes: why" for those that take new connections, "no: why" for the others.
std::vector<std::string> texts(const std::vector<Candidate>& candidates, const Sharing& sharing)
{
    std::vector<std::string> texts;
    for (const Choice& choice : choose(candidates, sharing, choice_time))
        texts.push_back((choice.takes_new ? "yes: " : "no: ") + choice.why);
    return texts;
}

using Texts = std::vector<std::string>;

const Sharing newest{};
const Sharing settling{Share::newest, 10s, 0ms};
const Sharing spread{Share::spread, 0ms, 0ms};
const Sharing spread_settling{Share::spread, 10s, 0ms};

const std::string nobody = "no: nothing listens on 10.0.0.1:9080/tcp";

}  // namespace

TEST_CASE("newest: the youngest that listens takes new connections")
{
    CHECK(texts({}, newest).empty());
    CHECK(texts({silent()}, newest) == Texts{nobody});
    CHECK(texts({listens_for(0ms), listens_for(1h)}, newest) ==
          Texts{"yes: youngest that listens", "no: a younger pod serves"});
    CHECK(texts({silent(), listens_for(0ms), silent()}, newest) == Texts{nobody, "yes: youngest that listens", nobody});
}

TEST_CASE("newest with settle: the youngest that has listened for long enough")
{
    CHECK(texts({listens_for(10s), listens_for(1h)}, settling) ==
          Texts{"yes: youngest that has listened for 10s", "no: a younger pod serves"});
    CHECK(texts({listens_for(3900ms), listens_for(1h)}, settling) ==
          Texts{"no: has listened for 3s, settles for 10s", "yes: older; the younger one hasn't settled yet"});
    CHECK(texts({silent(), listens_for(1h)}, settling) == Texts{nobody, "yes: youngest that has listened for 10s"});
    CHECK(texts({listens_for(1s), listens_for(11s), listens_for(1s)}, settling) ==
          Texts{"no: has listened for 1s, settles for 10s", "yes: older; the younger one hasn't settled yet",
                "no: a younger pod serves"});
}

TEST_CASE("where none has settled, the oldest that listens takes new connections")
{
    CHECK(texts({listens_for(9999ms)}, settling) == Texts{"yes: oldest that listens; none has for 10s yet"});
    CHECK(texts({listens_for(2s), listens_for(4s), silent()}, settling) ==
          Texts{"no: has listened for 2s, settles for 10s", "yes: oldest that listens; none has for 10s yet", nobody});
    CHECK(texts({listens_for(2s), listens_for(4s)}, spread_settling) ==
          Texts{"no: has listened for 2s, settles for 10s", "yes: oldest that listens; none has for 10s yet"});
}

TEST_CASE("spread: all that have settled take their share")
{
    const std::string share = "yes: listens; takes its share of the clients";
    CHECK(texts({listens_for(0ms), silent(), listens_for(0ms)}, spread) == Texts{share, nobody, share});
    CHECK(texts({listens_for(2s), listens_for(10s), listens_for(5s), listens_for(1h)}, spread_settling) ==
          Texts{"no: has listened for 2s, settles for 10s", share, "no: has listened for 5s, settles for 10s", share});
}

TEST_CASE("a pod that answers serves, and is said to by that witness")
{
    CHECK(texts({answers_for(1h)}, newest) == Texts{"yes: youngest that answers (no socket seen, answered 2s ago)"});
    CHECK(texts({answers_for(4s), listens_for(1h)}, settling) ==
          Texts{"no: has answered for 4s, settles for 10s", "yes: older; the younger one hasn't settled yet"});
    CHECK(texts({listens_for(1s), answers_for(1h)}, spread) ==
          Texts{"yes: listens; takes its share of the clients",
                "yes: answers; takes its share of the clients (no socket seen, answered 2s ago)"});
}

TEST_CASE("serving and Ready, before serving, before ending")
{
    CHECK(texts({said(listens_for(1h), ending), listens_for(1h)}, newest) ==
          Texts{"no: ending since 3s", "yes: youngest that listens"});
    CHECK(texts({said(listens_for(1h), unready), said(listens_for(1h), ready_word)}, newest) ==
          Texts{"no: not Ready: ContainersNotReady", "yes: youngest that listens"});
    CHECK(texts({said(listens_for(1h), ending), said(listens_for(1h), unready)}, newest) ==
          Texts{"no: ending since 3s", "yes: not Ready: ContainersNotReady, but nobody better serves"});
    CHECK(texts({said(listens_for(1h), ending)}, newest) == Texts{"yes: ending since 3s, but nobody better serves"});
    CHECK(texts({said(silent(), ready_word), said(listens_for(1h), ending)}, newest) ==
          Texts{nobody, "yes: ending since 3s, but nobody better serves"});
    CHECK(texts({said(listens_for(1h), ready_word), said(listens_for(1h), ending), listens_for(1h)}, spread) ==
          Texts{"yes: listens; takes its share of the clients", "no: ending since 3s",
                "yes: listens; takes its share of the clients"});
    CHECK(texts({listens_for(1s), said(listens_for(1h), ending)}, settling) ==
          Texts{"yes: oldest that listens; none has for 10s yet", "no: ending since 3s"});
}

TEST_CASE("a socket that refuses or is silent serves nobody")
{
    Candidate refuses = listens_for(1h);
    refuses.seen.refused_at = choice_time - 2s;
    Candidate mute = listens_for(1h);
    mute.seen.silent_since = choice_time - 4s;
    CHECK(texts({refuses, mute, listens_for(1h)}, newest) ==
          Texts{"no: listens, but refused 2s ago", "no: listens, left the last connections unanswered for 4s",
                "yes: youngest that listens"});
    Candidate closed = silent();
    closed.seen.refused_at = choice_time - 2s;
    closed.seen.answered_at = choice_time - 3s;
    CHECK(texts({closed}, newest) == Texts{nobody + ", refused 2s ago"});
}

TEST_CASE("a load balancer's clients are for pods that serve and aren't ending")
{
    CHECK(takes_traffic(listens_for(0ms)));
    CHECK(takes_traffic(answers_for(1h)));
    CHECK_FALSE(takes_traffic(silent()));
    CHECK(takes_traffic(said(silent(), ready_word)));  // and nobody knows better
    CHECK_FALSE(takes_traffic(said(silent(), unready)));
    CHECK(takes_traffic(said(listens_for(1h), unready)));
    CHECK_FALSE(takes_traffic(said(listens_for(1h), ending)));
    Candidate refuses = said(silent(), ready_word);
    refuses.seen.refused_at = choice_time - 1s;
    CHECK_FALSE(takes_traffic(refuses));
}
