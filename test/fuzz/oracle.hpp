// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Judges what a program made of a packet, knowing the tables and the RFCs and nothing of how the programs work:
// - a packet is changed, or dropped, only if it belongs to a node port: goes to it, comes back from it, is a fragment
// of
//   one that does, or an ICMP error about one;
// - what changed is addresses, ports and checksums, and they became what the tables say;
// - every checksum is as right as it was, and a wrong one is as wrong as it was.
#pragma once

#include "model.hpp"

#include <optional>
#include <string>

namespace sallyport::fuzz {

enum class Way { in, out };  ///< from clients; to them

inline constexpr int next_program = -1;  ///< TCX_NEXT
inline constexpr int drop = 2;           ///< TCX_DROP

struct Trial
{
    Way way = Way::in;
    Bytes before;
    Bytes after;
    int verdict = 0;
};

class Oracle
{
public:
    explicit Oracle(Model& model) : model_(model) {}

    /// What is wrong with it, in a sentence; nullopt where nothing is. Learns from what is right.
    std::optional<std::string> judge(const Trial& trial);

    struct Counts
    {
        unsigned requests = 0, replies = 0, fragments = 0, icmp_errors = 0, dropped = 0, untouched = 0;
        unsigned choices = 0;  ///< first packets that only a pod which listens could rightly get
    };
    const Counts& counts() const { return counts_; }

private:
    using Verdict = std::optional<std::string>;

    Verdict judge_change(const Trial& trial, const View& before, const View& after);
    Verdict judge_request(const Bytes& frame, const IpView& before, const IpView& after);
    Verdict judge_reply(const IpView& before, const IpView& after) const;
    Verdict judge_fragment(Way way, const IpView& before, const IpView& after) const;
    bool passes_over_a_listener(const std::vector<Service>& backends, const Service& chosen);
    void hear(const Trial& trial, const View& before);
    Verdict judge_icmp(Way way, const View& before, const View& after) const;
    bool belongs(Way way, const View& view) const;
    void note_passed(Way way, const View& view);

    /// Which datagram a fragment is of: protocol (IPv4), addresses, identification.
    using FragmentKey = std::tuple<std::uint8_t, IpAddress, IpAddress, std::uint32_t>;
    static FragmentKey key_of(const IpView& fragment);

    Model& model_;
    std::map<FragmentKey, std::set<Tuple>> fragments_;  // first fragments, which have ports
    Counts counts_;
};

/// "0200 0000 ..." with the IP header beginning a group.
std::string hex(const Bytes& bytes);

}  // namespace sallyport::fuzz
