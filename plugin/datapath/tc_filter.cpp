// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "tc_filter.hpp"

#include "sallyport/error.hpp"
#include "sallyport/os/tc_filters.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

namespace sallyport {

namespace {

constexpr __u32 priority_of_cilium = 1;  // by default; the least that there is
// Two, so that ours can be added anew at the head before the older one goes.
constexpr std::array<__u32, 2> our_handles{0x5a11, 0x5a12};

bpf_tc_hook clsact_hook(Place place)
{
    bpf_tc_hook hook{};
    hook.sz = sizeof hook;
    hook.ifindex = place.ifindex;
    hook.attach_point = place.direction == Direction::ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS;
    return hook;
}

/// The id of the program under that handle; 0 where there is none.
__u32 program_under(Place place, __u32 handle, __u32 priority = priority_of_cilium)
{
    const bpf_tc_hook hook = clsact_hook(place);
    LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle, .priority = priority);
    return bpf_tc_query(&hook, &options) == 0 ? options.prog_id : 0;
}

void remove_handle(Place place, __u32 handle)
{
    const bpf_tc_hook hook = clsact_hook(place);
    LIBBPF_OPTS(bpf_tc_opts, options, .handle = handle, .priority = priority_of_cilium);
    bpf_tc_detach(&hook, &options);  // fails where the device, or the filter, is gone: as wanted
}

}  // namespace

void put_filter_first(Place place, int program)
{
    bpf_tc_hook hook = clsact_hook(place);
    if (const int error = bpf_tc_hook_create(&hook); error != 0 && error != -EEXIST)
        throw Error(Code::node_lacks, "make clsact: " + errno_text(-error) +
                                          "; the kernel needs CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF");
    const bool first_is_free = program_under(place, our_handles[0]) == 0;
    const __u32 fresh = our_handles[first_is_free ? 0 : 1];
    remove_handle(place, fresh);  // where a killed command left both; replaced, it would keep its place
    LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = program, .handle = fresh, .priority = priority_of_cilium);
    if (const int error = bpf_tc_attach(&hook, &options); error != 0)
        throw Error(Code::node_lacks, "add a tc filter: " + errno_text(-error) +
                                          "; `tc filter show` tells whether priority 1 holds filters of another kind");
    remove_handle(place, our_handles[first_is_free ? 1 : 0]);
}

void remove_filter(Place place)
{
    for (const __u32 handle : our_handles)
        if (program_under(place, handle) != 0)
            remove_handle(place, handle);
}

__u32 filter_program(Place place)
{
    for (const __u32 handle : our_handles)
        if (const __u32 program = program_under(place, handle))
            return program;
    return 0;
}

bool is_filter_first(Place place)
{
    const auto filters = list_tc_filters(place.ifindex, place.direction == Direction::ingress);
    return !filters.empty() && filters.front().priority == priority_of_cilium &&
           std::find(our_handles.begin(), our_handles.end(), filters.front().handle) != our_handles.end();
}

std::vector<__u32> filter_programs_of_others(Place place)
{
    std::vector<__u32> programs;
    for (const TcFilter& filter : list_tc_filters(place.ifindex, place.direction == Direction::ingress)) {
        const bool ours = filter.priority == priority_of_cilium &&
                          std::find(our_handles.begin(), our_handles.end(), filter.handle) != our_handles.end();
        if (const __u32 program = filter.is_program && !ours ? program_under(place, filter.handle, filter.priority) : 0)
            programs.push_back(program);
    }
    return programs;
}

}  // namespace sallyport
