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

std::vector<std::string> values_of(const std::map<std::string, std::string>& texts)
{
    std::vector<std::string> values;
    for (const auto& [subject, text] : texts)
        values.push_back(text);
    return values;
}

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

AgentStatus Condition::status() const
{
    const std::lock_guard lock(mutex_);
    AgentStatus status{.ready = problems_.empty() && begun_ && !ending_,
                       .problems = values_of(problems_),
                       .notes = values_of(notes_),
                       .since_turn = std::chrono::duration_cast<std::chrono::milliseconds>(clock_() - last_turn_),
                       .conflicts = conflicts_,
                       .reattached = reattached_};
    if (!begun_)
        status.problems.emplace_back("the agent is still looking at the node for the first time");
    if (ending_)
        status.problems.emplace_back("the agent has been told to end");
    return status;
}

}  // namespace sallyport
