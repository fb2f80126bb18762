// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cli/flow_view.hpp"

#include "sallyport/cli/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace sallyport {

namespace {

using nlohmann::ordered_json;
using Align = Column::Align;
using WhenNarrow = Column::WhenNarrow;
using std::chrono::milliseconds;

/// Of two, the one seen later is the "smaller": std's heaps have the largest on top.
bool seen_later(const Flow& a, const Flow& b)
{
    return a.last_seen > b.last_seen;
}

std::string address_and_port(const Address& address, std::uint16_t port)
{
    return bracketed(address) + ":" + std::to_string(port);
}

const char* state_of(const Flow& flow)
{
    return flow.closing ? "closing" : flow.established ? "established" : "new";
}

const char* tier_of(const Flow& flow)
{
    return !flow.established ? "new" : flow.asked.protocol == Protocol::udp ? "answered" : "established";
}

milliseconds idle_for(const Flow& flow, Instant now)
{
    return std::chrono::duration_cast<milliseconds>(std::max(now - flow.last_seen, Instant::duration(0)));
}

}  // namespace

PodNames names_of(const std::vector<BoundPod>& pods)
{
    PodNames names;
    for (const BoundPod& pod : pods)
        names.emplace(pod.generation, pod);
    return names;
}

std::string name_of(const PodNames& pods, std::uint64_t generation)
{
    const auto pod = pods.find(generation);
    return pod == pods.end() ? "pod #" + std::to_string(generation) : pod->second.pod();
}

std::optional<PortFilter> parse_port_filter(std::string_view text)
{
    const std::size_t slash = text.find('/');
    const auto port = parse_port(text.substr(0, slash));
    if (!port)
        return std::nullopt;
    PortFilter filter{HostPort{*port}, std::nullopt};
    if (slash != std::string_view::npos) {
        filter.protocol = parse_protocol(text.substr(slash + 1));
        if (!filter.protocol)
            return std::nullopt;
    }
    return filter;
}

bool FlowFilter::lets_through(const Flow& flow, const PodNames& pods) const
{
    if (port && (port->port != flow.asked.port || (port->protocol && *port->protocol != flow.asked.protocol)))
        return false;
    if (pod.empty())
        return true;
    const auto owner = pods.find(flow.generation);
    return owner != pods.end() && (owner->second.pod() == pod || owner->second.pod_name == pod);
}

void RecentFlows::add(const Flow& flow)
{
    seen_++;
    if (flows_.size() == limit_) {
        if (limit_ == 0 || !seen_later(flow, flows_.front()))
            return;
        std::pop_heap(flows_.begin(), flows_.end(), seen_later);
        flows_.pop_back();
    }
    flows_.push_back(flow);
    std::push_heap(flows_.begin(), flows_.end(), seen_later);
}

std::vector<Flow> RecentFlows::take()
{
    std::sort_heap(flows_.begin(), flows_.end(), seen_later);
    return std::move(flows_);
}

FlowTable::FlowTable(const PodNames& pods, Instant now)
    : pods_(pods),
      now_(now),
      table_({{"CLIENT"},
              {"NODE PORT", Align::left, WhenNarrow::below, 3, false, "at"},
              {.title = "POD", .gives_width = true},
              {"BACKEND", Align::left, WhenNarrow::out, 2},
              {"STATE"},
              {"IDLE", Align::right},
              {"SHOWN AS", Align::left, WhenNarrow::out, 1}})
{}

void FlowTable::add(const Flow& flow)
{
    const bool live = flow.established && !flow.closing;
    table_.add(
        {address_and_port(flow.client, flow.client_port), flow.asked.to_string(), name_of(pods_, flow.generation),
         address_and_port(flow.backend.address, number(flow.backend.port)),
         Cell(state_of(flow), live ? Tone::good : Tone::dim), human_duration(idle_for(flow, now_)),
         flow.shown_port == flow.client_port ? Cell("") : Cell(":" + std::to_string(flow.shown_port), Tone::warning)});
}

std::string to_json(const Flow& flow, const PodNames& pods, Instant now)
{
    const auto owner = pods.find(flow.generation);
    const BoundPod pod = owner == pods.end() ? BoundPod{} : owner->second;
    const ordered_json json{{"client", flow.client.to_string()},
                            {"clientPort", flow.client_port},
                            {"shownPort", flow.shown_port},
                            {"scope", flow.asked.scope == Scope::pod ? "pod" : "node"},
                            {"address", flow.asked.address.to_string()},
                            {"port", number(flow.asked.port)},
                            {"protocol", name(flow.asked.protocol)},
                            {"namespace", pod.pod_namespace},
                            {"pod", pod.pod_name.empty() ? pod.id.container_id : pod.pod_name},
                            {"containerID", pod.id.container_id},
                            {"podAddress", flow.backend.address.to_string()},
                            {"containerPort", number(flow.backend.port)},
                            {"tier", tier_of(flow)},
                            {"state", state_of(flow)},
                            {"idleMs", idle_for(flow, now).count()}};
    return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace sallyport
