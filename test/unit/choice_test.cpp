// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/choice.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace sallyport;
using namespace std::chrono_literals;

namespace {

Candidate silent()
{
    return {{*Address::parse("10.0.0.1"), PodPort{9080}, Protocol::tcp}, false, 0ms};
}

Candidate listens_for(std::chrono::milliseconds duration)
{
    Candidate candidate = silent();
    candidate.listening = true;
    candidate.listening_for = duration;
    return candidate;
}

/// "yes: why" for those that take new connections, "no: why" for the others.
std::vector<std::string> texts(const std::vector<Candidate>& candidates, const Sharing& sharing)
{
    std::vector<std::string> texts;
    for (const Choice& choice : choose(candidates, sharing))
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
          Texts{"yes: youngest that listens", "no: a younger pod listens"});
    CHECK(texts({silent(), listens_for(0ms), silent()}, newest) == Texts{nobody, "yes: youngest that listens", nobody});
}

TEST_CASE("newest with settle: the youngest that has listened for long enough")
{
    CHECK(texts({listens_for(10s), listens_for(1h)}, settling) ==
          Texts{"yes: youngest that has listened for 10s", "no: a younger pod listens"});
    CHECK(texts({listens_for(3900ms), listens_for(1h)}, settling) ==
          Texts{"no: has listened for 3s, settles for 10s", "yes: older; the younger one hasn't settled yet"});
    CHECK(texts({silent(), listens_for(1h)}, settling) == Texts{nobody, "yes: youngest that has listened for 10s"});
    CHECK(texts({listens_for(1s), listens_for(11s), listens_for(1s)}, settling) ==
          Texts{"no: has listened for 1s, settles for 10s", "yes: older; the younger one hasn't settled yet",
                "no: a younger pod listens"});
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
