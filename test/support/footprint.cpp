// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/footprint.hpp"

#include "sallyport/abi.h"
#include "support/content.hpp"
#include "support/subprocess.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <system_error>

namespace sallyport::test {
namespace {

// uapi/linux/bpf.h of kernel 6.6, for older headers.
constexpr std::uint32_t bpf_tcx_ingress = 46;
constexpr std::uint32_t bpf_tcx_egress = 47;

/// Ids of the tcx programs there. None where the kernel has no tcx.
std::vector<std::uint32_t> tcx_programs(unsigned ifindex, std::uint32_t attach_type)
{
    std::array<std::uint32_t, 64> ids{};
    struct
    {
        std::uint32_t ifindex;
        std::uint32_t attach_type;
        std::uint32_t query_flags;
        std::uint32_t attach_flags;
        std::uint64_t ids;
        std::uint32_t count;
        std::uint32_t zero;
        std::uint64_t more[5];  // the kernel writes a revision number there
    } query{ifindex, attach_type, 0, 0, reinterpret_cast<std::uintptr_t>(ids.data()), ids.size(), 0, {}};
    if (syscall(SYS_bpf, BPF_PROG_QUERY, &query, sizeof(query)) != 0) {
        if (errno == EINVAL || errno == ENOENT || errno == ENODEV)  // the last: a pod's device that goes just now
            return {};
        throw std::system_error(errno, std::generic_category(), "BPF_PROG_QUERY");
    }
    return {ids.begin(), ids.begin() + query.count};
}

}  // namespace

std::vector<std::string> pins_below(const std::filesystem::path& bpffs)
{
    std::vector<std::string> pins;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(bpffs, ignored)) {
        const std::string name = entry.path().filename();
        if (name != "maps.debug" && name != "progs.debug")  // the kernel's own (CONFIG_BPF_PRELOAD)
            pins.push_back(entry.path().string());
    }
    std::sort(pins.begin(), pins.end());
    return pins;
}

std::vector<std::string> pod_pins_below(const std::filesystem::path& bpffs)
{
    std::vector<std::string> names;
    for (const std::string& pin : pins_below(bpffs / "sallyport/pod_links"))
        names.push_back(std::filesystem::path(pin).filename());
    return names;
}

Entries entries_below(const std::filesystem::path& bpffs)
{
    Entries entries;
    for (const std::string& pin : pins_below(bpffs)) {
        const std::string name = std::filesystem::path(pin).filename();
        const UniqueFd fd(bpf_obj_get(pin.c_str()));
        bpf_map_info info{};
        std::uint32_t size = sizeof(info);
        if (!fd || bpf_map_get_info_by_fd(fd.get(), &info, &size) != 0 ||
            (info.type != BPF_MAP_TYPE_HASH && info.type != BPF_MAP_TYPE_PERCPU_HASH))
            continue;
        std::string key(info.key_size, '\0');
        unsigned& count = entries[name];
        for (bool more = bpf_map_get_next_key(fd.get(), nullptr, key.data()) == 0; more; count++)
            more = bpf_map_get_next_key(fd.get(), key.data(), key.data()) == 0;
    }
    return entries;
}

std::vector<std::string> programs_in(const Namespace& netns)
{
    std::vector<std::string> found;
    netns.run([&] {
        struct if_nameindex* devices = if_nameindex();
        for (auto* device = devices; device && device->if_index != 0; device++) {
            for (const std::uint32_t id : tcx_programs(device->if_index, bpf_tcx_ingress))
                found.push_back(std::string(device->if_name) + " ingress: program " + std::to_string(id));
            for (const std::uint32_t id : tcx_programs(device->if_index, bpf_tcx_egress))
                found.push_back(std::string(device->if_name) + " egress: program " + std::to_string(id));
        }
        if_freenameindex(devices);
    });
    for (const std::string& qdisc : lines_of(must_execute({.argv = {"tc", "qdisc", "show"}, .netns = &netns}))) {
        if (qdisc.find("clsact") == std::string::npos && qdisc.find("ingress") == std::string::npos)
            continue;
        found.push_back(qdisc);
        const std::string device = qdisc.substr(qdisc.find("dev ") + 4);
        for (const char* side : {"ingress", "egress"}) {
            const Output filters = execute(
                {.argv = {"tc", "filter", "show", "dev", device.substr(0, device.find(' ')), side}, .netns = &netns});
            for (const std::string& line : lines_of(filters.out))
                found.push_back(line);
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

std::vector<std::string> programs_below(const std::filesystem::path& cgroup)
{
    std::vector<std::filesystem::path> directories{cgroup};
    for (const auto& entry : std::filesystem::recursive_directory_iterator(cgroup))
        if (entry.is_directory())
            directories.push_back(entry.path());

    std::vector<std::string> found;
    for (const auto& directory : directories) {
        const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        for (int type = 0; type < __MAX_BPF_ATTACH_TYPE; type++) {
            const char* name = libbpf_bpf_attach_type_str(static_cast<bpf_attach_type>(type));
            if (name == nullptr || !std::string_view(name).starts_with("cgroup_"))
                continue;
            std::array<__u32, 64> ids{};
            __u32 count = ids.size();
            if (bpf_prog_query(fd.get(), static_cast<bpf_attach_type>(type), 0, nullptr, ids.data(), &count) != 0)
                continue;
            for (__u32 i = 0; i < count; i++)
                found.push_back(directory.lexically_relative(cgroup).string() + " " + name + ": program " +
                                std::to_string(ids[i]));
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

std::size_t flush_flows(const std::filesystem::path& bpffs)
{
    std::size_t flushed = 0;
    for (const char* const name : {"flows_new", "flows_established", "flows_answered"}) {
        const UniqueFd table(bpf_obj_get((bpffs / "sallyport/maps" / name).c_str()));
        abi::flow_key key{};
        if (!table)
            throw std::system_error(errno, std::generic_category(), name);
        while (bpf_map_get_next_key(table.get(), nullptr, &key) == 0 && bpf_map_delete_elem(table.get(), &key) == 0)
            flushed++;
    }
    return flushed;
}

void pretend_other_build(const std::filesystem::path& bpffs)
{
    const UniqueFd meta(bpf_obj_get((bpffs / "sallyport/maps/meta").c_str()));
    const std::uint32_t key = 0;
    abi::meta value{};
    if (!meta || bpf_map_lookup_elem(meta.get(), &key, &value) != 0)
        throw std::system_error(errno, std::generic_category(), "read table meta");
    value.programs ^= 1;
    if (bpf_map_update_elem(meta.get(), &key, &value, BPF_ANY) != 0)
        throw std::system_error(errno, std::generic_category(), "write table meta");
}

}  // namespace sallyport::test
