// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "flow_tables.hpp"

#include "bpf_table.hpp"
#include "flow_group.hpp"

#include "sallyport/records.hpp"

#include <netinet/in.h>

#include <unordered_map>
#include <unordered_set>

namespace sallyport {

namespace {

template <typename Visit>
void for_each_record(const StateDir& dir, const std::vector<BoundPod>& pods, Visit visit)
{
    std::unordered_set<std::uint64_t> generations;
    for (const BoundPod& pod : pods)
        generations.insert(pod.generation);
    for (const std::string tier : {"flows_new", "flows_established", "flows_answered"}) {
        const bool established = tier != "flows_new";
        const UniqueFd fd = open_map(dir, tier);
        BpfTable<abi::flow_key, abi::flow>(fd.get(), tier)
            .for_each([&](const abi::flow_key& key, const abi::flow& record) {
                if (is_live(record) && generations.contains(record.pod))
                    visit(key, record, established);
            });
    }
}

}  // namespace

FlowCount count_flows(const StateDir& dir, const std::vector<BoundPod>& pods)
{
    FlowCount count;
    std::unordered_map<FlowGroup, FlowGroup::Members, FlowGroup::Hash> groups;
    for_each_record(dir, pods, [&](const abi::flow_key& key, const abi::flow& record, bool established) {
        (!established ? count.fresh : key.protocol == IPPROTO_UDP ? count.answered : count.established)++;
        FlowGroup::Members& members = groups[FlowGroup(key, record)];
        if (members.count++ == 0)
            members.any = {key, record};
    });
    for (const auto& [group, members] : groups) {
        const Flow flow = flow_from(members.any.first, members.any.second, false);
        count.by_exposure[{flow.generation, flow.node_port}] += members.count;
    }
    return count;
}

void for_each_flow(const StateDir& dir, const std::vector<BoundPod>& pods,
                   const std::function<void(const Flow&)>& visit)
{
    for_each_record(dir, pods, [&](const abi::flow_key& key, const abi::flow& record, bool established) {
        visit(flow_from(key, record, established));
    });
}

}  // namespace sallyport
