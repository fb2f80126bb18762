// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the tables say, and which flows there may be by now. Flows are only ever added by packets that the programs
// translated, and forgotten when their pod goes: the programs may know fewer (tables evict), never others.
#pragma once

#include "view.hpp"

#include <map>
#include <set>
#include <tuple>
#include <vector>

namespace sallyport::fuzz {

struct Service
{
    std::uint8_t protocol = 0;
    End end;

    auto operator<=>(const Service&) const = default;
};

class Model
{
public:
    /// A node port; the address may be all zeros behind the family's prefix, for "any".
    void expose(const Service& node_port, const std::vector<Service>& backends);
    void own(const IpAddress& address) { addresses_.insert(address); }
    void set_listening(const Service& backend, bool listening);

    /// The node port that this destination is, or nullptr.
    const std::vector<Service>* find_node_port(const Service& destination) const;
    bool is_backend(const Service& end) const { return listening_.contains(end); }
    bool listens(const Service& backend) const;

    // What may be known of a backend by its answers. Where it isn't sure, the model believes what excuses the programs.
    void ask(const Service& backend) { heard_[backend].unanswered++; }      ///< a SYN went there, and may be its first
    void doubt(const Service& backend) { heard_[backend].refused = true; }  ///< it said what may have been a refusal
    /// It answered the connection of `inside`; `surely`: as one answers a first packet.
    void answer(const Tuple& inside, bool surely);
    bool may_serve(const Service& backend) const;      ///< it listens, or has ever answered
    bool may_be_passed(const Service& backend) const;  ///< it refused, or may seem silent

    /// A client's connection as the client has it (client -> node port) and as the pod has it (client -> backend).
    void learn(const Tuple& outside, const Tuple& inside);
    void open(const Tuple& outside, const Tuple& inside);  ///< the same of one that the programs have just made
    bool knows(const Tuple& outside, const Tuple& inside) const;
    bool knows_inside(const Tuple& inside) const { return flows_.contains(inside); }
    std::set<Tuple> insides_of(const Tuple& outside) const;
    std::set<Tuple> outsides_of(const Tuple& inside) const;

    /// The pod behind these backends was replaced by another.
    void forget(const IpAddress& pod);

private:
    struct Heard
    {
        unsigned unanswered = 0;  ///< SYNs since its last sure answer
        bool refused = false;
        bool answered = false;
    };

    std::map<Service, std::vector<Service>> node_ports_;
    std::map<Service, bool> listening_;
    std::map<Service, Heard> heard_;
    std::set<Tuple> answered_;  // flows, by the pod's side
    std::set<IpAddress> addresses_;
    std::map<Tuple, std::set<Tuple>> flows_;       // by the pod's side
    std::map<Tuple, std::set<Tuple>> by_outside_;  // the same, by the client's
};

}  // namespace sallyport::fuzz
