// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/node/condition.hpp"

#include "sallyport/log.hpp"

#include <utility>

namespace sallyport {

namespace {

/// Where there is nothing new, does nothing.
void change(std::map<std::string, std::string>& texts, const std::string& subject, const std::string& text,
            void (*log)(const std::string&) noexcept)
{
    const auto known = texts.find(subject);
    if (text == (known == texts.end() ? "" : known->second))
        return;
    if (text.empty()) {
        texts.erase(known);
        log_info(subject + ": all is well again");
    } else {
        texts[subject] = text;
        log(text);
    }
}

/// The loop turns each second; some of its tasks take a few.
constexpr std::chrono::seconds longest_turn{15};

}  // namespace

Condition::Condition(Clock clock) : clock_(std::move(clock)), last_turn_(clock_()) {}

void Condition::set_problem(const std::string& subject, const std::string& text)
{
    const std::lock_guard lock(mutex_);
    change(problems_, subject, text, log_error);
}

void Condition::set_note(const std::string& subject, const std::string& text)
{
    const std::lock_guard lock(mutex_);
    change(notes_, subject, text, log_warning);
}

void Condition::turn()
{
    const std::lock_guard lock(mutex_);
    last_turn_ = clock_();
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

void Condition::set_conflicts(std::uint64_t count)
{
    const std::lock_guard lock(mutex_);
    conflicts_ = count;
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
    for (const auto& texts : {problems_, notes_})
        for (const auto& [subject, text] : texts)
            state.problems.push_back(text);
    return state;
}

}  // namespace sallyport
