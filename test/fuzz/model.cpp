// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "model.hpp"

#include <algorithm>

namespace sallyport::fuzz {
namespace {

IpAddress any_of_family(const IpAddress& address)
{
    IpAddress any{};
    const bool v4 = std::all_of(address.begin(), address.begin() + 10, [](std::uint8_t byte) { return byte == 0; }) &&
                    address[10] == 0xff && address[11] == 0xff;
    if (v4)
        any[10] = any[11] = 0xff;
    return any;
}

}  // namespace

void Model::expose(const Service& node_port, const std::vector<Service>& backends)
{
    node_ports_[node_port] = backends;
    for (const Service& backend : backends)
        listening_.emplace(backend, false);
    if (node_port.end.address != any_of_family(node_port.end.address))
        own(node_port.end.address);
}

void Model::set_listening(const Service& backend, bool listening)
{
    listening_[backend] = listening;
}

const std::vector<Service>* Model::find_node_port(const Service& destination) const
{
    if (!addresses_.contains(destination.end.address))
        return nullptr;
    auto found = node_ports_.find(destination);
    if (found == node_ports_.end())
        found =
            node_ports_.find({destination.protocol, {any_of_family(destination.end.address), destination.end.port}});
    return found == node_ports_.end() ? nullptr : &found->second;
}

bool Model::listens(const Service& backend) const
{
    const auto found = listening_.find(backend);
    return found != listening_.end() && found->second;
}

void Model::answer(const Tuple& inside, bool surely)
{
    Heard& heard = heard_[{inside.protocol, inside.destination}];
    heard.answered = true;
    if (!surely || !answered_.insert(inside).second)
        return;
    heard.refused = false;
    heard.unanswered = 0;
}

bool Model::may_serve(const Service& backend) const
{
    const auto heard = heard_.find(backend);
    return listens(backend) || (heard != heard_.end() && heard->second.answered);
}

bool Model::may_be_passed(const Service& backend) const
{
    constexpr unsigned silence = 3;  // SYNs in a row, and a second has gone by, for all that the model knows
    const auto heard = heard_.find(backend);
    return heard != heard_.end() && (heard->second.refused || heard->second.unanswered >= silence);
}

void Model::open(const Tuple& outside, const Tuple& inside)
{
    answered_.erase(inside);
    learn(outside, inside);
}

void Model::learn(const Tuple& outside, const Tuple& inside)
{
    flows_[inside].insert(outside);
    by_outside_[outside].insert(inside);
}

bool Model::knows(const Tuple& outside, const Tuple& inside) const
{
    const auto found = flows_.find(inside);
    return found != flows_.end() && found->second.contains(outside);
}

void Model::forget(const IpAddress& pod)
{
    const auto of_pod = [&](const Tuple& inside) { return inside.destination.address == pod; };
    std::erase_if(flows_, [&](const auto& flow) { return of_pod(flow.first); });
    std::erase_if(heard_, [&](const auto& heard) { return heard.first.end.address == pod; });
    std::erase_if(answered_, of_pod);
    for (auto& [outside, insides] : by_outside_)
        std::erase_if(insides, of_pod);
}

std::set<Tuple> Model::insides_of(const Tuple& outside) const
{
    const auto found = by_outside_.find(outside);
    return found == by_outside_.end() ? std::set<Tuple>{} : found->second;
}

std::set<Tuple> Model::outsides_of(const Tuple& inside) const
{
    const auto found = flows_.find(inside);
    return found == flows_.end() ? std::set<Tuple>{} : found->second;
}

}  // namespace sallyport::fuzz
