// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/chain.hpp"

#include "support/subprocess.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <intruder.skel.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace sallyport::test {
namespace {

/// Attach types of cgroups: those up to BPF_CGROUP_UDP6_RECVMSG and beyond that socket load balancers use.
constexpr std::array cgroup_types{
    BPF_CGROUP_INET_INGRESS,     BPF_CGROUP_INET_EGRESS,   BPF_CGROUP_INET_SOCK_CREATE, BPF_CGROUP_INET_SOCK_RELEASE,
    BPF_CGROUP_SOCK_OPS,         BPF_CGROUP_INET4_BIND,    BPF_CGROUP_INET6_BIND,       BPF_CGROUP_INET4_POST_BIND,
    BPF_CGROUP_INET6_POST_BIND,  BPF_CGROUP_INET4_CONNECT, BPF_CGROUP_INET6_CONNECT,    BPF_CGROUP_UDP4_SENDMSG,
    BPF_CGROUP_UDP6_SENDMSG,     BPF_CGROUP_UDP4_RECVMSG,  BPF_CGROUP_UDP6_RECVMSG,     BPF_CGROUP_INET4_GETPEERNAME,
    BPF_CGROUP_INET6_GETPEERNAME};

std::string program_name(std::uint32_t id)
{
    const UniqueFd program(bpf_prog_get_fd_by_id(id));
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    return program && bpf_prog_get_info_by_fd(program.get(), &info, &size) == 0 ? info.name : "gone";
}

/// The last word before the bracket of "... handle 0x1 name:[12] direct-action ..."; `tc` prints filters in their
/// order.
std::vector<std::string> filters_of(const Namespace& netns, const std::string& device, bool ingress)
{
    const Output output =
        execute({.argv = {"tc", "filter", "show", "dev", device, ingress ? "ingress" : "egress"}, .netns = &netns});
    std::vector<std::string> names;
    std::istringstream lines(output.out);
    for (std::string line; std::getline(lines, line);) {
        const std::size_t id = line.find(" id ");
        if (line.find(" handle ") != std::string::npos && id != std::string::npos)
            names.push_back(program_name(static_cast<std::uint32_t>(std::stoul(line.substr(id + 4)))));
    }
    return names;
}

}  // namespace

std::vector<std::string> chain_of(const Namespace& netns, const std::string& device, bool ingress)
{
    std::vector<std::string> names;
    netns.run([&] {
        std::array<std::uint32_t, 64> ids{};
        LIBBPF_OPTS(bpf_prog_query_opts, query, .prog_ids = ids.data(), .prog_cnt = ids.size());
        if (bpf_prog_query_opts(static_cast<int>(if_nametoindex(device.c_str())),
                                ingress ? BPF_TCX_INGRESS : BPF_TCX_EGRESS, &query) == 0)
            for (std::size_t i = 0; i < query.prog_cnt; i++)
                names.push_back(program_name(ids[i]));
    });
    for (const std::string& name : filters_of(netns, device, ingress))
        names.push_back(name);
    return names;
}

OtherProgram::OtherProgram(const char* name)
{
    struct Destroy
    {
        void operator()(intruder* object) const noexcept { intruder::destroy(object); }
    };
    const std::unique_ptr<intruder, Destroy> object(intruder::open_and_load());
    if (!object)
        throw std::system_error(errno, std::generic_category(), "load intruder.bpf.o");
    fd_ = UniqueFd(::dup(bpf_program__fd(bpf_object__find_program_by_name(object->obj, name))));
}

std::uint32_t OtherProgram::id() const
{
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    return bpf_prog_get_info_by_fd(fd(), &info, &size) == 0 ? info.id : 0;
}

Intruder::Intruder(const Namespace& netns, const std::string& device, bool ingress, const char* program)
{
    const OtherProgram loaded(program);
    netns.run([&] {
        LIBBPF_OPTS(bpf_link_create_opts, options, .flags = BPF_F_BEFORE);
        link_ = UniqueFd(bpf_link_create(loaded.fd(), static_cast<int>(if_nametoindex(device.c_str())),
                                         ingress ? BPF_TCX_INGRESS : BPF_TCX_EGRESS, &options));
        if (!link_)
            throw std::system_error(errno, std::generic_category(), std::string("attach ") + program + " to " + device);
    });
}

Intruder::~Intruder()
{
    bpf_link_detach(link_.get());  // at once; the last reference's end would take effect some time later
}

void detach_all_of_cgroup(const std::filesystem::path& cgroup)
{
    struct statfs file_system{};
    if (statfs(cgroup.c_str(), &file_system) != 0 || file_system.f_type != CGROUP2_SUPER_MAGIC)
        return;
    const UniqueFd directory(::open(cgroup.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (const bpf_attach_type type : cgroup_types) {
        std::array<std::uint32_t, 64> ids{};
        std::uint32_t count = ids.size();
        if (bpf_prog_query(directory.get(), type, 0, nullptr, ids.data(), &count) != 0)
            continue;  // this kernel has no such hook
        for (std::size_t i = 0; i < count; i++) {
            const UniqueFd program(bpf_prog_get_fd_by_id(ids[i]));
            if (bpf_prog_detach2(program.get(), directory.get(), type) != 0)
                throw std::runtime_error("program " + program_name(ids[i]) + " in " + cgroup.string() +
                                         " can't be detached: a link holds it");
        }
    }
}

}  // namespace sallyport::test
