// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What to ask the API server next, and what its answers mean: list, watch, go on where the watch ended, list again
// where the server has forgotten that place, and wait longer after each failure. A function of what it is told and
// when; knows no connection. The rules are those of Kubernetes' own clients.
#pragma once

#include "pods.hpp"

#include "sallyport/kubernetes.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <variant>

namespace sallyport::kubernetes {

/// An answer with a status other than 200.
struct Refusal
{
    Status status;
    std::chrono::seconds retry_after{0};  ///< the field of that name; 0 where there is none
};

class Follower
{
public:
    struct Wait
    {
        Instant until;
    };
    struct List
    {
        std::string target;  ///< of a GET
    };
    struct Watch
    {
        std::string target;
        std::chrono::seconds lasts;  ///< after which the server ends it
    };
    using Step = std::variant<Wait, List, Watch>;

    static constexpr std::chrono::milliseconds shortest_wait{500};
    static constexpr std::chrono::milliseconds longest_wait{30'000};
    static constexpr std::chrono::seconds longest_retry_after{300};

    /// `seed`: another one on each node, or they all come back at once.
    Follower(const std::string& node, std::uint32_t seed);

    Step next(Instant now);

    // What became of the step. Each may be told at any time.
    void listed(ListPage page, Instant now);
    void watching(Instant now);                    ///< it was accepted
    bool happened(WatchEvent event, Instant now);  ///< false: this watch is of no more use
    void ended(Instant now);                       ///< the watch ended as such
    void refused(const Refusal& refusal, Instant now);
    void failed(const std::string& why, Instant now);  ///< no connection, no answer, or nothing that makes sense

    const PodWords& pods() const { return pods_; }
    bool complete() const { return complete_; }
    std::optional<Instant> lost_since() const { return lost_since_; }
    const std::string& problem() const { return problem_; }

private:
    void lose(const std::string& why, Instant now, std::chrono::milliseconds at_least);
    void list_anew(const std::string& version);
    void forgotten(const std::string& why, Instant now);

    std::string selector_;
    std::minstd_rand dice_;

    // The list at hand; where none is, `version_` says where to watch from.
    bool listing_ = true;
    std::string list_version_ = "0";  ///< whatever the server has in its cache; "" for what is so now
    std::string continue_;
    PodWords listed_;

    std::string version_;
    std::optional<Instant> watching_since_;
    Instant not_before_{};
    unsigned failures_ = 0;  ///< in a row

    PodWords pods_;
    bool complete_ = false;
    std::optional<Instant> lost_since_;
    std::string problem_;
};

}  // namespace sallyport::kubernetes
