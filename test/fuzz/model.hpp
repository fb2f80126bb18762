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

    /// It said something that may have been a refusal, so that it may be passed over.
    void doubt(const Service& backend) { doubted_.insert(backend); }
    bool is_doubted(const Service& backend) const { return doubted_.contains(backend); }

    /// A client's connection as the client has it (client -> node port) and as the pod has it (client -> backend).
    void learn(const Tuple& outside, const Tuple& inside);
    bool knows(const Tuple& outside, const Tuple& inside) const;
    bool knows_inside(const Tuple& inside) const { return flows_.contains(inside); }
    std::set<Tuple> insides_of(const Tuple& outside) const;
    std::set<Tuple> outsides_of(const Tuple& inside) const;

    /// The pod behind these backends was replaced by another.
    void forget(const IpAddress& pod);

private:
    std::map<Service, std::vector<Service>> node_ports_;
    std::map<Service, bool> listening_;
    std::set<Service> doubted_;
    std::set<IpAddress> addresses_;
    std::map<Tuple, std::set<Tuple>> flows_;       // by the pod's side
    std::map<Tuple, std::set<Tuple>> by_outside_;  // the same, by the client's
};

}  // namespace sallyport::fuzz
