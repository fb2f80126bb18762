// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "oracle.hpp"

#include "sums.hpp"

#include <netinet/in.h>

#include <algorithm>

namespace sallyport::fuzz {
namespace {

Tuple reversed(const Tuple& tuple)
{
    return {tuple.protocol, tuple.destination, tuple.source};
}

Service destination_of(const Tuple& tuple)
{
    return {tuple.protocol, tuple.destination};
}

Service source_of(const Tuple& tuple)
{
    return {tuple.protocol, tuple.source};
}

constexpr unsigned syn = 0x02, rst = 0x04, ack = 0x10;

unsigned flags_of(const Bytes& frame, const IpView& ip)
{
    return ip.l4 + 13 < frame.size() ? frame[ip.l4 + 13] : 0;
}

/// A datagram, or the first segment of a connection: what needs no flow.
bool opens(const Bytes& frame, const IpView& ip)
{
    return ip.protocol == IPPROTO_UDP || (flags_of(frame, ip) & (syn | ack)) == syn;
}

/// A datagram, or what TCP says to a SYN that it takes.
bool accepts(const Bytes& frame, const IpView& ip)
{
    return ip.protocol == IPPROTO_UDP || (flags_of(frame, ip) & (syn | ack | rst)) == (syn | ack);
}

std::optional<std::string> judge_bytes(const Trial& trial, const View& before, const View& after)
{
    const std::vector<bool> may_change = changeable(trial.before, before);
    for (std::size_t at = 0; at < trial.before.size(); at++)
        if (trial.before[at] != trial.after[at] && !may_change[at])
            return "byte " + std::to_string(at) + " changed, which is no address, port or checksum";

    const std::vector<Sum> sums = sums_of(trial.before, before);
    const std::vector<Sum> new_sums = sums_of(trial.after, after);
    for (std::size_t i = 0; i < sums.size(); i++)
        if (i >= new_sums.size() || sums[i] != new_sums[i])
            return sums[i].what + " checksum isn't as right, or as wrong, as it was";
    return std::nullopt;
}

}  // namespace

Oracle::FragmentKey Oracle::key_of(const IpView& fragment)
{
    return {fragment.v6 ? std::uint8_t{0} : fragment.protocol, fragment.tuple.source.address,
            fragment.tuple.destination.address, fragment.fragment_id};
}

std::optional<std::string> Oracle::judge(const Trial& trial)
{
    if (trial.verdict != next_program && trial.verdict != drop)
        return "verdict " + std::to_string(trial.verdict) + " would end the chain, or is none";
    const View before = view_of(trial.before);
    if (trial.way == Way::out)
        hear(trial, before);
    if (trial.verdict == drop) {
        counts_.dropped++;
        return belongs(trial.way, before) ? std::nullopt : Verdict("dropped, and was nobody's");
    }
    if (trial.before == trial.after) {
        counts_.untouched++;
        note_passed(trial.way, before);
        return std::nullopt;
    }
    if (trial.before.size() != trial.after.size())
        return "its length changed to " + std::to_string(trial.after.size());
    if (before.shape == Shape::nothing)
        return "changed, and can't be read as a packet of TCP or UDP, or as an error about one";
    const View after = view_of(trial.after);
    if (after.shape != before.shape)
        return "changed into another kind of packet";
    if (Verdict wrong = judge_bytes(trial, before, after))
        return wrong;
    Verdict wrong = judge_change(trial, before, after);
    if (wrong)
        return wrong;
    note_passed(trial.way, before);
    if (before.shape == Shape::transport && trial.way == Way::out)
        model_.answer(reversed(before.outer.tuple), accepts(trial.before, before.outer));
    return std::nullopt;
}

/// What may be a refusal, whether the client gets to see it or not.
void Oracle::hear(const Trial& trial, const View& before)
{
    if (before.shape == Shape::icmp_error)
        model_.doubt(destination_of(before.inner.tuple));
    else if (before.shape == Shape::transport && before.outer.protocol == IPPROTO_TCP &&
             (flags_of(trial.before, before.outer) & rst) != 0)
        model_.doubt(source_of(before.outer.tuple));
}

Oracle::Verdict Oracle::judge_change(const Trial& trial, const View& before, const View& after)
{
    switch (before.shape) {
    case Shape::nothing:
        break;
    case Shape::icmp_error:
        counts_.icmp_errors++;
        return judge_icmp(trial.way, before, after);
    case Shape::later_fragment:
        counts_.fragments++;
        return judge_fragment(trial.way, before.outer, after.outer);
    case Shape::transport:
        (trial.way == Way::in ? counts_.requests : counts_.replies)++;
        return trial.way == Way::in ? judge_request(trial.before, before.outer, after.outer)
                                    : judge_reply(before.outer, after.outer);
    }
    return std::nullopt;
}

Oracle::Verdict Oracle::judge_request(const Bytes& frame, const IpView& before, const IpView& after)
{
    const Tuple& outside = before.tuple;
    const Tuple& inside = after.tuple;
    if (outside.source.address != inside.source.address)
        return "the client's address changed";

    const std::vector<Service>* backends = model_.find_node_port(destination_of(outside));
    const bool direct = !backends && model_.is_backend(destination_of(outside));
    if (direct && outside.destination != inside.destination)
        return "a direct connection's destination changed";
    if (!direct && !backends)
        return "changed, and its destination is no node port";
    if (!direct && std::find(backends->begin(), backends->end(), destination_of(inside)) == backends->end())
        return "went to something that isn't behind this node port";
    if (opens(frame, before) && inside.protocol == IPPROTO_TCP)
        model_.ask(destination_of(inside));
    if (model_.knows(outside, inside))
        return std::nullopt;
    if (!opens(frame, before))
        return "went along a flow that nobody opened";
    if (!direct && passes_over_a_listener(*backends, destination_of(inside)))
        return "went to a pod that doesn't listen, while another does";
    if (outside.source.port != inside.source.port &&
        !model_.knows_inside({inside.protocol, outside.source, inside.destination}))
        return "the client's port changed, and clashed with nothing";
    model_.open(outside, inside);
    return std::nullopt;
}

/// Where none listens, somebody gets it and answers for itself. The fuzzer's pods answer as they like, so that one
/// without a socket may serve, and one with a socket be in doubt.
bool Oracle::passes_over_a_listener(const std::vector<Service>& backends, const Service& chosen)
{
    const bool one_serves = std::any_of(backends.begin(), backends.end(), [&](const Service& backend) {
        return model_.listens(backend) && !model_.may_be_passed(backend);
    });
    const bool one_does_not = std::any_of(backends.begin(), backends.end(),
                                          [&](const Service& backend) { return !model_.may_serve(backend); });
    counts_.choices += one_serves && one_does_not ? 1 : 0;
    return one_serves && !model_.may_serve(chosen);
}

Oracle::Verdict Oracle::judge_reply(const IpView& before, const IpView& after) const
{
    if (before.tuple.destination.address != after.tuple.destination.address)
        return "the client's address changed";
    if (!model_.knows(reversed(after.tuple), reversed(before.tuple)))
        return "changed as if it were the reply to something that was never asked";
    return std::nullopt;
}

Oracle::Verdict Oracle::judge_fragment(Way way, const IpView& before, const IpView& after) const
{
    const auto known = fragments_.find(key_of(before));
    if (known == fragments_.end())
        return "a later fragment was changed whose first one wasn't";
    // The flow may have become another's meanwhile, but it must be one of those ports.
    const auto goes = [&](const Tuple& flow) {
        return flow.source.address == after.tuple.source.address &&
               flow.destination.address == after.tuple.destination.address;
    };
    for (const Tuple& first : known->second) {
        if (way == Way::in)
            for (const Tuple& inside : model_.insides_of(first))
                if (goes(inside))
                    return std::nullopt;
        if (way == Way::out)
            for (const Tuple& outside : model_.outsides_of(reversed(first)))
                if (goes(reversed(outside)))
                    return std::nullopt;
    }
    return "a later fragment went elsewhere than its first one";
}

Oracle::Verdict Oracle::judge_icmp(Way way, const View& before, const View& after) const
{
    const IpAddress& from = before.outer.tuple.source.address;
    const IpAddress& to = before.outer.tuple.destination.address;
    const IpAddress& new_from = after.outer.tuple.source.address;
    const IpAddress& new_to = after.outer.tuple.destination.address;
    // What the error is about went the other way.
    if (way == Way::in) {
        if (!model_.knows(reversed(before.inner.tuple), reversed(after.inner.tuple)))
            return "an ICMP error was changed that is about none of our replies";
        if (from != new_from)
            return "an ICMP error's sender changed on the way in";
        return to == before.inner.tuple.source.address && new_to == after.inner.tuple.source.address
                   ? std::nullopt
                   : Verdict("an ICMP error went to another than whom it is about");
    }
    if (!model_.knows(after.inner.tuple, before.inner.tuple))
        return "an ICMP error was changed that is about none of our requests";
    if (to != new_to || to != before.inner.tuple.source.address)
        return "an ICMP error went to another than whom it is about";
    const bool of_pod = from == before.inner.tuple.destination.address;
    return new_from == (of_pod ? after.inner.tuple.destination.address : from)
               ? std::nullopt
               : Verdict("an ICMP error's sender isn't whom the client asked");
}

bool Oracle::belongs(Way way, const View& view) const
{
    const Tuple& tuple = view.shape == Shape::icmp_error ? view.inner.tuple : view.outer.tuple;
    const bool request = (way == Way::in) != (view.shape == Shape::icmp_error);
    switch (view.shape) {
    case Shape::nothing:
        return false;
    case Shape::later_fragment:
        return fragments_.contains(key_of(view.outer));
    case Shape::transport:
    case Shape::icmp_error:
        break;
    }
    const Service of_node = request ? destination_of(tuple) : source_of(tuple);
    return model_.is_backend(of_node) || (way == Way::in && model_.find_node_port(of_node));
}

void Oracle::note_passed(Way way, const View& view)
{
    if (view.shape != Shape::transport)
        return;
    const Tuple& tuple = view.outer.tuple;
    if (view.outer.fragment)
        fragments_[key_of(view.outer)].insert(tuple);
    if (way == Way::in && model_.is_backend(destination_of(tuple)))
        model_.learn(tuple, tuple);  // direct; it may stand in a later one's way
}

std::string hex(const Bytes& bytes)
{
    constexpr const char* digits = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i++) {
        text += i != 0 && i % 16 == 14 ? " " : "";
        text += {digits[bytes[i] >> 4], digits[bytes[i] & 15]};
    }
    return text;
}

}  // namespace sallyport::fuzz
