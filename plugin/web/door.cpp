// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "door.hpp"

#include "listener.hpp"

#include "sallyport/error.hpp"
#include "sallyport/log.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <numeric>
#include <set>
#include <utility>

namespace sallyport::web {

namespace {

using Phase = Connection::Phase;

constexpr std::uint64_t stop_id = 0;
constexpr std::uint64_t listener_id = 1;
constexpr std::uint64_t first_client_id = 2;

/// How long nobody is accepted where the process or the node has no descriptor left. The listener stays ready then, so
/// that without a pause we would turn and turn.
constexpr std::chrono::milliseconds pause{100};

/// How long there must have been enough for a lack to be another one, and to be said again. A connection accepted in
/// between doesn't end it: at the limit, each descriptor that a task or a client gives back lets one more in.
constexpr std::chrono::minutes same_lack{1};

bool control(const UniqueFd& epoll, int operation, int fd, std::uint64_t id, std::uint32_t events)
{
    epoll_event event{};
    event.events = events;
    event.data.u64 = id;
    return epoll_ctl(epoll.get(), operation, fd, &event) == 0;
}

bool waits_longer(const std::pair<const std::uint64_t, Connection>& a,
                  const std::pair<const std::uint64_t, Connection>& b)
{
    return a.second.waiting_since() < b.second.waiting_since();
}

}  // namespace

Door::Door(UniqueFd listener, std::function<Message(std::string_view, Family)> answer, Message too_long)
    : listener_(std::move(listener)),
      answer_(std::move(answer)),
      too_long_(std::move(too_long)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      next_id_(first_client_id),
      worker_("what the HTTP server waits with")
{
    if (!epoll_ || !control(epoll_, EPOLL_CTL_ADD, worker_.stop_fd(), stop_id, EPOLLIN) ||
        !control(epoll_, EPOLL_CTL_ADD, listener_.get(), listener_id, EPOLLIN))
        throw Error(Code::node_lacks, "make what the HTTP server waits with (epoll): " + errno_text(errno));
    worker_.start("web", [this] { run(); });
}

std::uint16_t Door::port() const
{
    return port_of(listener_);
}

void Door::run()
{
    std::array<epoll_event, 64> events{};
    for (;;) {
        const int count =
            epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), milliseconds_to_wait());
        for (int i = 0; i < count; i++) {
            const std::uint64_t id = events[static_cast<std::size_t>(i)].data.u64;
            if (id == stop_id)
                return;
            if (id == listener_id)
                accept_some();
            else if (const auto client = connections_.find(id); client != connections_.end())  // else it made room
                serve(client);
        }
        end_late();
    }
}

void Door::accept_some()
{
    for (int accepted = 0; accepted < 64; accepted++) {  // then those who are here have their turn
        UniqueFd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!socket) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                pause_accepting();
            return;
        }
        const int fd = socket.get();
        const auto client = connections_.emplace(next_id_++, std::move(socket)).first;
        make_room(false);
        if (control(epoll_, EPOLL_CTL_ADD, fd, client->first, EPOLLIN))
            serve(client);  // its request is there already, mostly
        else
            connections_.erase(client);
    }
}

/// Those who haven't asked yet make room for each other, and those who don't take their answers; neither for the
/// others: in a burst of new connections somebody who only needs a moment to read would seem to be waiting.
void Door::make_room(bool sending)
{
    const auto is_one = [sending](const auto& client) { return (client.second.phase() == Phase::sending) == sending; };
    const auto count = std::count_if(connections_.begin(), connections_.end(), is_one);
    if (static_cast<std::size_t>(count) <= max_connections / 2)
        return;
    auto longest = std::find_if(connections_.begin(), connections_.end(), is_one);
    for (auto client = longest; client != connections_.end(); ++client)
        if (is_one(*client) && waits_longer(*client, *longest))
            longest = client;
    connections_.erase(longest);
}

void Door::pause_accepting()
{
    const int error = errno;
    const Moment now = std::chrono::steady_clock::now();
    if (in_want_until_ <= now)  // or it would be said ten times a second
        log_warning("accept a connection over HTTP: " + errno_text(error) + "; clients wait until that is over");
    in_want_until_ = now + same_lack;
    control(epoll_, EPOLL_CTL_MOD, listener_.get(), listener_id, 0);
    accepts_again_ = now + pause;
    paused_ = true;
}

void Door::serve(Connections::iterator client)
{
    Connection& connection = client->second;
    const Phase before = connection.phase();
    if (before != Phase::reading) {
        connection.go_on();
    } else if (connection.read_head()) {
        Message message = connection.too_long() ? too_long_ : answer_(connection.head(), connection.family());
        connection.answer(std::move(message));
        make_room(true);
        free_answers(client);
    }
    if (connection.phase() == Phase::over)
        connections_.erase(client);
    else
        watch(client, before);
}

void Door::watch(Connections::iterator client, Phase before)
{
    const Phase now = client->second.phase();
    const std::uint32_t events = now == Phase::sending ? EPOLLOUT : EPOLLIN;
    if (now != before && !control(epoll_, EPOLL_CTL_MOD, client->second.fd(), client->first, events))
        connections_.erase(client);
}

std::size_t Door::answer_bytes() const
{
    std::set<Body> bodies;
    for (const auto& [id, connection] : connections_)
        if (connection.body())
            bodies.insert(connection.body());
    return std::accumulate(bodies.begin(), bodies.end(), std::size_t{0},
                           [](std::size_t bytes, const Body& body) { return bytes + body->size(); });
}

/// Clients that don't fetch their answers keep them in memory. The one of `last` has only just begun.
void Door::free_answers(Connections::iterator last)
{
    while (answer_bytes() > max_answer_bytes) {
        auto longest = connections_.end();
        for (auto client = connections_.begin(); client != connections_.end(); ++client)
            if (client != last && client->second.body() &&
                (longest == connections_.end() || waits_longer(*client, *longest)))
                longest = client;
        if (longest == connections_.end())
            return;
        connections_.erase(longest);
    }
}

void Door::end_late()
{
    const Moment now = std::chrono::steady_clock::now();
    std::erase_if(connections_, [now](const auto& client) { return client.second.deadline() <= now; });
    if (paused_ && accepts_again_ <= now) {
        control(epoll_, EPOLL_CTL_MOD, listener_.get(), listener_id, EPOLLIN);
        paused_ = false;
    }
}

int Door::milliseconds_to_wait() const
{
    if (connections_.empty() && !paused_)
        return -1;
    Moment next = paused_ ? accepts_again_ : Moment::max();
    for (const auto& [id, connection] : connections_)
        next = std::min(next, connection.deadline());
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(next - std::chrono::steady_clock::now()).count();
    return static_cast<int>(std::max<decltype(wait)>(wait, 0));
}

}  // namespace sallyport::web
