// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "looks.hpp"

#include "sallyport/abi.h"
#include "sallyport/inspection.hpp"

#include <algorithm>
#include <set>

namespace sallyport::web {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds serves_for{500};
/// Rates over less jump; rates over more are no longer "now".
constexpr std::chrono::seconds rates_at_least{2};
constexpr std::chrono::seconds rates_at_most{60};

constexpr std::size_t events_shown = 60;

std::string text_of(const PortLabel& port)
{
    return std::to_string(port.port) + "/" + std::string(name(port.protocol));
}

/// The ABI of the tables, where that isn't ours: what is in them would be misread.
std::optional<std::uint32_t> another_abi(const Paths& paths)
{
    const auto abi = pinned_abi(paths);
    return abi && *abi != SALLYPORT_ABI ? abi : std::nullopt;
}

/// "held by apisix/apisix-1 (nothing listens on 10.0.1.7:9080/tcp; nothing listens on [fd00::7]:9080/tcp)"
std::string complaint_about(const std::map<std::string, std::set<std::string>>& reasons)
{
    std::string text;
    for (const auto& [pod, of_pod] : reasons) {
        text += (text.empty() ? "held by " : ", and by ") + pod + " (";
        for (const std::string& reason : of_pod)
            text += (reason == *of_pod.begin() ? "" : "; ") + reason;
        text += ")";
    }
    return text;
}

}  // namespace

/// So that rates are over two seconds or a little more, however often somebody looks.
void Looks::choose_base(Instant at)
{
    if (looked_at_ && (!base_ || at - base_->at >= rates_at_least))
        base_ = look_.report.sample;
    if (base_ && at - base_->at > rates_at_most)
        base_.reset();
}

const Look& Looks::now()
{
    const Instant at = std::chrono::steady_clock::now();
    if (looked_at_ && at - *looked_at_ < serves_for)
        return look_;

    choose_base(at);
    Look fresh;
    fresh.number = look_.number + 1;
    fresh.another_abi = another_abi(paths_);
    const auto datapath = fresh.another_abi ? std::nullopt : Datapath::find(paths_);
    if (datapath)
        fresh.report = report_node(*datapath, base_);
    else
        fresh.report.sample.at = at;
    if (base_)
        fresh.rates_over = std::chrono::duration_cast<milliseconds>(fresh.report.sample.at - base_->at);
    totals_.add(fresh.report);
    look_ = std::move(fresh);
    looked_at_ = std::chrono::steady_clock::now();  // a look that takes longer than it serves would starve all else
    return look_;
}

History read_history(const Paths& paths)
{
    History history;
    const auto datapath = Datapath::find(paths);
    if (!datapath)
        return history;
    for (const BoundPod& pod : datapath->bindings().pods())
        history.pods[pod.generation] = pod.pod();
    history.events = datapath->events_after(0);
    for (const Event& event : history.events)
        if (!event.pod_name.empty())  // of pods that are gone as well
            history.pods.try_emplace(event.pod, event.pod_namespace + "/" + event.pod_name);
    std::reverse(history.events.begin(), history.events.end());
    history.events.resize(std::min(history.events.size(), events_shown));
    return history;
}

std::optional<std::string> why_not_served(const Paths& paths, const PortLabel& port, Family family)
{
    const bool v4 = family == Family::v4;
    std::string nobody = "no pod holds port " + text_of(port) + " over " + (v4 ? "IPv4" : "IPv6");
    if (const auto abi = another_abi(paths))
        return Datapath::is_served_by_another_version(paths, port.port, port.protocol, v4)
                   ? std::nullopt
                   : std::optional(nobody + ", or none that serves, by the tables of ABI " + std::to_string(*abi));
    const auto datapath = Datapath::find(paths);
    if (!datapath)
        return nobody;

    const Instant now = std::chrono::steady_clock::now();
    const auto words = datapath->bindings().words();
    std::map<std::uint64_t, BoundPod> pods;
    for (BoundPod& pod : datapath->bindings().pods())
        pods.emplace(pod.generation, std::move(pod));
    std::map<std::string, std::set<std::string>> reasons;  // by pod
    for (const NodePortEntry& entry : datapath->bindings().node_ports()) {
        if (!is_outside(entry.node_port, HostPort{port.port}, port.protocol, v4))
            continue;
        for (const NodePortBackend& backend : entry.backends) {
            const auto pod = pods.find(backend.generation);
            if (pod == pods.end())
                continue;
            Candidate candidate{{backend.backend.address, backend.listener, port.protocol}};
            candidate.seen = datapath->look(backend, pod->second.netns_id);
            if (const auto word = words.find(backend.generation); word != words.end())
                candidate.word = word->second;
            if (takes_traffic(candidate))
                return std::nullopt;
            reasons[pod->second.pod()].insert(describe(candidate, now));
        }
    }
    return reasons.empty() ? nobody : complaint_about(reasons);
}

}  // namespace sallyport::web
