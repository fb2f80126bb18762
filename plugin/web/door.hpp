// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Who comes in: one thread, which accepts connections, collects their requests, has them answered one after the other,
// and sends the answers. Nobody is waited for, and there is a limit to everything: connections, bytes of a request,
// time, and bytes of answers. Where there are too many connections, the one that has kept us waiting longest makes
// room: slow clients keep nobody out. Knows nothing of HTTP.
#pragma once

#include "connection.hpp"
#include "reply.hpp"

#include "sallyport/os/unique_fd.hpp"
#include "sallyport/os/worker.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string_view>

namespace sallyport::web {

class Door
{
public:
    static constexpr std::size_t max_connections = 256;  ///< half of them to ask, and half to take answers
    /// Of all answers that are being sent; equal ones count once.
    static constexpr std::size_t max_answer_bytes = 4'194'304;

    /// `answer` must not throw; `too_long` is sent to those who send more than Connection::max_head.
    /// Its end ends all connections.
    Door(UniqueFd listener, std::function<Message(std::string_view head, Family family)> answer, Message too_long);

    std::uint16_t port() const;

private:
    using Connections = std::map<std::uint64_t, Connection>;  ///< by a number that none had before

    void run();
    void accept_some();
    void make_room(bool sending);
    void pause_accepting();
    void serve(Connections::iterator client);
    void watch(Connections::iterator client, Connection::Phase before);
    std::size_t answer_bytes() const;
    void free_answers(Connections::iterator last);
    void end_late();
    int milliseconds_to_wait() const;

    UniqueFd listener_;
    std::function<Message(std::string_view, Family)> answer_;
    Message too_long_;
    UniqueFd epoll_;
    Connections connections_;
    std::uint64_t next_id_;
    Moment accepts_again_{};
    bool paused_ = false;
    Moment in_want_until_{};  ///< of descriptors or memory: a lack before then is the same one
    Worker worker_;           ///< last: it uses the others
};

}  // namespace sallyport::web
