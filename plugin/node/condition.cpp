// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/node/condition.hpp"

#include "sallyport/log.hpp"

#include <utility>

namespace sallyport {

namespace {

constexpr std::chrono::milliseconds moment{500};

/// The loop turns each second; some of its tasks take a few.
constexpr std::chrono::seconds longest_turn{15};

}  // namespace

Condition::Condition(Clock clock) : clock_(std::move(clock)), last_turn_(clock_()) {}

void Condition::set_problem(const std::string& subject, const std::string& text)
{
    set(problems_, subject, text);
}

void Condition::set_note(const std::string& subject, const std::string& text)
{
    set(notes_, subject, text);
}

void Condition::set(Matters& matters, const std::string& subject, const std::string& text)
{
    const std::lock_guard lock(mutex_);
    const auto known = matters.find(subject);
    if (text == (known == matters.end() ? "" : known->second.text))
        return;
    if (text.empty()) {
        if (known->second.ever_logged)
            log_info(subject + ": all is well again");
        matters.erase(known);
        return;
    }
    Matter& matter = matters[subject];
    matter = {text, clock_(), false, matter.ever_logged};
}

void Condition::log_lasting(Matters& matters, void (*log)(const std::string&) noexcept) const
{
    for (auto& [subject, matter] : matters) {
        if (matter.logged || clock_() - matter.since < moment)
            continue;
        log(matter.text);
        matter.logged = matter.ever_logged = true;
    }
}

void Condition::turn()
{
    const std::lock_guard lock(mutex_);
    last_turn_ = clock_();
    log_lasting(problems_, log_error);
    log_lasting(notes_, log_warning);
}

void Condition::begin()
{
    const std::lock_guard lock(mutex_);
    begun_ = true;
}

void Condition::end()
{
    const std::lock_guard lock(mutex_);
    ending_ = true;
}

void Condition::set_conflicts(const Conflicts& conflicts)
{
    const std::lock_guard lock(mutex_);
    conflicts_ = conflicts;
}

void Condition::add_reattached(std::uint64_t count)
{
    const std::lock_guard lock(mutex_);
    reattached_ += count;
}

AgentState Condition::state() const
{
    const std::lock_guard lock(mutex_);
    AgentState state{.alive = clock_() - last_turn_ < longest_turn,
                     .ready = problems_.empty() && begun_ && !ending_,
                     .problems = {},
                     .conflicts = conflicts_,
                     .reattached = reattached_};
    if (!begun_)
        state.problems.emplace_back("the agent is still looking at the node for the first time");
    if (ending_)
        state.problems.emplace_back("the agent has been told to end");
    for (const Matters* matters : {&problems_, &notes_})
        for (const auto& [subject, matter] : *matters)
            state.problems.push_back(matter.text);
    return state;
}

}  // namespace sallyport
