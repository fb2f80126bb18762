// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// One client, from accept to close: a request's head, one answer, goodbye. Each part has a deadline as a whole, so that
// a byte now and then prolongs nothing. Never blocks.
#pragma once

#include "reply.hpp"

#include "sallyport/os/unique_fd.hpp"

#include <chrono>
#include <cstddef>
#include <string>

namespace sallyport::web {

using Moment = std::chrono::steady_clock::time_point;

class Connection
{
public:
    enum class Phase {
        reading,  ///< until the head is there
        sending,
        leaving,  ///< the answer is out; what the client still sends is thrown away until it closes
        over,
    };

    static constexpr std::size_t max_head = 16'384;
    static constexpr std::chrono::seconds for_head{5};
    static constexpr std::chrono::seconds for_answer{10};
    static constexpr std::chrono::seconds for_leaving{1};

    explicit Connection(UniqueFd socket);

    int fd() const { return socket_.get(); }
    Family family() const;  ///< by which the client came; IPv4 on a socket of IPv6 is IPv4
    Phase phase() const { return phase_; }
    Moment deadline() const { return deadline_; }

    /// Since when it keeps us waiting: it was accepted, it took a byte of its answer, or it had all of it. Bytes of a
    /// request don't count: to send those one by one is the cheapest way to hold a place.
    Moment waiting_since() const { return waiting_since_; }

    const Body& body() const { return message_.body; }
    const std::string& head() const { return head_; }
    bool too_long() const { return head_.size() > max_head; }

    /// In `reading`: takes what has arrived. True once the head can be answered: complete, too long, or nothing that
    /// could become HTTP.
    bool read_head();

    /// From now on `sending`; sends what the socket takes at once.
    void answer(Message message);

    /// In `sending` and `leaving`: goes on.
    void go_on();

private:
    void enter(Phase phase, std::chrono::seconds limit);
    void send_more();
    void drain();

    UniqueFd socket_;
    Phase phase_ = Phase::reading;
    Moment deadline_;
    Moment waiting_since_;
    std::string head_;
    Message message_;
    std::size_t sent_ = 0;  ///< of head and body together
};

}  // namespace sallyport::web
