// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/chain/restraint.hpp"

#include <catch2/catch_test_macros.hpp>

#include <random>

using namespace sallyport;
using namespace std::chrono_literals;

namespace {

/// A file of somebody else's, looked at each 50 ms, and written as soon as restraint allows.
class Scene
{
public:
    Restraint restraint;
    Instant now{1h};
    int writes = 0;
    bool in_place = false;

    /// Somebody has rewritten it since the last look.
    void rewritten()
    {
        restraint.stirred(now);
        changed_ = true;
        in_place = false;
    }

    void look()
    {
        restraint.seen(now, changed_, in_place ? Restraint::State::in_place : Restraint::State::missing);
        changed_ = false;
        if (!in_place && !restraint.backing_off(now) && now >= restraint.may_write()) {
            restraint.wrote(now);
            writes++;
            in_place = true;
        }
    }

    void pass(Instant::duration time)
    {
        for (const Instant end = now + time; now < end; now += 50ms)
            look();
    }

    /// An owner who takes our entry out within 5 ms.
    void pass_with_exclusive_owner(Instant::duration time)
    {
        for (const Instant end = now + time; now < end; now += 45ms) {
            look();
            now += 5ms;
            if (in_place)
                rewritten();
        }
    }

    /// 20 changes a second at random.
    void pass_in_storm(Instant::duration time, std::mt19937& dice)
    {
        std::exponential_distribution<double> gap(20);
        Instant change = now;
        Instant next_look = now;
        const Instant end = now + time;
        while (now < end) {
            now = std::min(change, next_look);
            if (now == change) {
                rewritten();
                change += std::chrono::duration_cast<Instant::duration>(std::chrono::duration<double>(gap(dice)));
            }
            if (now >= next_look) {
                look();
                next_look = now + 50ms;
            }
        }
    }

private:
    bool changed_ = false;
};

}  // namespace

TEST_CASE("at first nothing holds us back", "[chain]")
{
    Scene scene;
    scene.look();
    CHECK(scene.in_place);
}

TEST_CASE("an agent that starts and rewrites its list has our entry back at once", "[chain]")
{
    Scene scene;
    scene.look();
    for (int start = 0; start < 10; start++) {
        scene.pass(30s);
        scene.rewritten();
        scene.pass(101ms);
        CHECK(scene.in_place);
        CHECK(scene.writes == start + 2);
    }
}

TEST_CASE("an owner who takes us out three times within 10 s is left alone", "[chain]")
{
    Scene scene;
    scene.look();
    scene.pass_with_exclusive_owner(10s);
    CHECK(scene.writes == 3);
    CHECK(scene.restraint.backing_off(scene.now));

    SECTION("for a minute, then for two, and after each one attempt tells that nothing has changed")
    {
        scene.pass_with_exclusive_owner(49s);
        CHECK(scene.writes == 3);
        scene.pass_with_exclusive_owner(2s);
        CHECK(scene.writes == 4);
        scene.pass_with_exclusive_owner(119s);
        CHECK(scene.writes == 4);
        scene.pass_with_exclusive_owner(2s);
        CHECK(scene.writes == 5);
    }
    SECTION("never longer than ten minutes")
    {
        scene.pass_with_exclusive_owner(3h);
        const int before = scene.writes;
        scene.pass_with_exclusive_owner(10h);
        CHECK(scene.writes - before >= 59);
        CHECK(scene.writes - before <= 61);
    }
    SECTION("until he changes his list by himself")
    {
        scene.pass(20s);
        CHECK_FALSE(scene.in_place);
        scene.rewritten();
        scene.pass(1s);
        CHECK(scene.in_place);
        CHECK(scene.writes == 4);
    }
    SECTION("until the operator changes something")
    {
        scene.restraint.forget();
        scene.look();
        CHECK(scene.in_place);
    }
    SECTION("and once our entry stays, the past is forgotten")
    {
        scene.pass(61s);
        CHECK(scene.in_place);
        scene.pass(20s);
        const int before = scene.writes;
        scene.pass_with_exclusive_owner(10s);
        CHECK(scene.writes - before == 3);
    }
}

TEST_CASE("an owner whose answer comes in two steps is left alone too", "[chain]")
{
    Scene scene;
    scene.look();
    for (int i = 0; i < 200; i++) {
        if (scene.in_place) {
            scene.now += 5ms;
            scene.rewritten();
            scene.look();
            scene.now += 140ms;
            scene.rewritten();
        }
        scene.now += 50ms;
        scene.look();
    }
    CHECK(scene.writes == 3);
}

TEST_CASE("in a storm we hardly write, and after it our entry is there within a second", "[chain]")
{
    int late = 0;
    int writes = 0;
    for (unsigned seed = 0; seed < 200; seed++) {
        std::mt19937 dice(seed);
        Scene scene;
        scene.look();
        scene.pass_in_storm(60s, dice);
        writes += scene.writes;
        scene.pass(600ms);
        late += scene.in_place ? 0 : 1;
    }
    CHECK(late == 0);
    CHECK(writes < 200 * 6);
}

TEST_CASE("storms with quiet times between them are no fight", "[chain]")
{
    std::mt19937 dice(1);
    Scene scene;
    scene.look();
    for (int i = 0; i < 100; i++) {
        scene.pass_in_storm(1s, dice);
        scene.pass(1s);
        CHECK(scene.in_place);
    }
}
