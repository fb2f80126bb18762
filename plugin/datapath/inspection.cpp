// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/inspection.hpp"

#include "state_dir.hpp"
#include "tc_filter.hpp"
#include "tcx.hpp"

#include "sallyport/abi.h"
#include "sallyport/error.hpp"
#include "sallyport/wire.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace sallyport {

std::optional<std::uint32_t> pinned_abi(const Paths& paths)
{
    const UniqueFd table = open_pinned(StateDir(paths.bpffs).map("meta"));
    bpf_map_info info{};
    __u32 size = sizeof info;
    if (!table || bpf_map_get_info_by_fd(table.get(), &info, &size) != 0 || info.key_size != sizeof(__u32) ||
        info.value_size < sizeof(__u32))
        return std::nullopt;
    std::vector<std::byte> value(info.value_size);  // another version's may be larger than ours
    const __u32 key = 0;
    if (bpf_map_lookup_elem(table.get(), &key, value.data()) != 0)
        return std::nullopt;
    __u32 abi = 0;
    std::memcpy(&abi, value.data(), sizeof abi);
    return abi == 0 ? std::nullopt : std::optional<std::uint32_t>(abi);
}

std::vector<AttachmentId> bound_attachments(const Paths& paths)
{
    const UniqueFd table = open_pinned(StateDir(paths.bpffs).map("pods"));
    bpf_map_info info{};
    __u32 size = sizeof info;
    std::vector<AttachmentId> attachments;
    if (!table || bpf_map_get_info_by_fd(table.get(), &info, &size) != 0 || info.key_size != sizeof(abi::pod_key))
        return attachments;
    abi::pod_key key{};
    for (const abi::pod_key* last = nullptr; bpf_map_get_next_key(table.get(), last, &key) == 0; last = &key)
        attachments.push_back(from_wire(key));
    return attachments;
}

void require_own_abi(const Paths& paths)
{
    const auto abi = pinned_abi(paths);
    if (abi && *abi != SALLYPORT_ABI)
        throw Error(Code::node_lacks, "the tables in " + StateDir(paths.bpffs).map("").string() + " are of ABI " +
                                          std::to_string(*abi) + ", and this binary is of ABI " +
                                          std::to_string(SALLYPORT_ABI) +
                                          "; use the sallyport that made them (its `version` names its ABI) until "
                                          "the node's gateway pods are drained, or give up theirs by `sallyport "
                                          "uninstall`");
}

std::vector<std::string> devices_that_run_ours(const std::vector<Device>& devices)
{
    const auto is_ours = [](std::uint32_t program) {
        const std::string name = program_name(program);  // cut at 15 characters
        return name == "node_ingress" || name == "bare_node_ingre";
    };
    std::vector<std::string> found;
    for (const Device& device : devices) {
        const Place place{device.ifindex, Direction::ingress};
        const auto chain = tcx_chain(place);
        const bool by_link =
            std::any_of(chain.begin(), chain.end(), [&](const ChainMember& member) { return is_ours(member.program); });
        const std::uint32_t filter = by_link ? 0 : filter_program(place);
        if (by_link || (filter != 0 && is_ours(filter)))
            found.push_back(device.name);
    }
    return found;
}

std::vector<std::string> missing_in_kernel()
{
    struct Need
    {
        bpf_prog_type type;
        const char* what;
    };
    constexpr std::array needs{
        Need{BPF_PROG_TYPE_SCHED_CLS, "programs on devices (CONFIG_BPF_SYSCALL, CONFIG_NET_CLS_BPF)"},
        Need{BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "programs at cgroups (CONFIG_CGROUP_BPF)"},
    };
    std::vector<std::string> missing;
    for (const Need& need : needs)
        if (libbpf_probe_bpf_prog_type(need.type, nullptr) != 1)
            missing.emplace_back(need.what);
    return missing;
}

std::string bpf_program_name(std::uint32_t id)
{
    return program_name(id);
}

}  // namespace sallyport
