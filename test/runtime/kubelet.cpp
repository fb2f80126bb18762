// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "kubelet.hpp"

#include "grpc.hpp"

#include "support/places.hpp"
#include "support/sandbox.hpp"
#include "support/subprocess.hpp"

#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>
#include <sys/mount.h>

#include <cerrno>
#include <fstream>
#include <system_error>
#include <utility>

namespace sallyport::test {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds longest_call{60};

/// The test's cgroup, as it is called where the whole of cgroup v2 is mounted.
std::string parent_in(const Cgroup& cgroup)
{
    return '/' + cgroup.path().lexically_relative(sandbox_directory() / "cgroup2").string() + "/pods";
}

std::string sha256(const fs::path& file)
{
    return must_execute({.argv = {"sha256sum", file.string()}}).substr(0, 64);
}

std::string first_text(const std::string& response)
{
    protozero::pbf_reader message(response);
    return message.next(1) ? message.get_string() : "";
}

/// A request whose only field is an id.
std::string request_for(const std::string& id)
{
    std::string request;
    protozero::pbf_writer(request).add_string(1, id);
    return request;
}

/// NamespaceOption: each container has processes of its own, which is what Kubernetes asks for.
void add_own_processes(protozero::pbf_writer& security_context, protozero::pbf_tag_type field)
{
    protozero::pbf_writer(security_context, field).add_enum(2, 1);
}

}  // namespace

Kubelet::Kubelet(fs::path socket, const Cgroup& cgroup) : socket_(std::move(socket)), cgroup_parent_(parent_in(cgroup))
{}

std::string Kubelet::call(const std::string& method, const std::string& request) const
{
    return grpc::call(socket_, "/runtime.v1.RuntimeService/" + method, request, longest_call);
}

std::string Kubelet::call_images(const std::string& method, const std::string& request) const
{
    return grpc::call(socket_, "/runtime.v1.ImageService/" + method, request, longest_call);
}

std::string Kubelet::sandbox_config(const PodRequest& pod) const
{
    std::string bytes;
    protozero::pbf_writer config(bytes);  // PodSandboxConfig
    {
        protozero::pbf_writer metadata(config, 1);
        metadata.add_string(1, pod.name);
        metadata.add_string(2, "uid-of-" + pod.name);
        metadata.add_string(3, pod.kubernetes_namespace);
        metadata.add_uint32(4, pod.attempt);
    }
    config.add_string(2, pod.name);
    for (const auto& [key, value] : pod.annotations) {
        protozero::pbf_writer entry(config, 7);
        entry.add_string(1, key);
        entry.add_string(2, value);
    }
    protozero::pbf_writer linux_config(config, 8);
    linux_config.add_string(1, cgroup_parent_);
    protozero::pbf_writer security(linux_config, 2);
    add_own_processes(security, 1);
    return bytes;
}

std::string Kubelet::run(const PodRequest& pod) const
{
    std::string request;
    protozero::pbf_writer(request).add_message(1, sandbox_config(pod));
    return first_text(call("RunPodSandbox", request));
}

void Kubelet::start_container(const std::string& sandbox, const PodRequest& pod) const
{
    std::string request;
    {
        protozero::pbf_writer message(request);  // CreateContainerRequest
        message.add_string(1, sandbox);
        {
            protozero::pbf_writer config(message, 2);
            protozero::pbf_writer(config, 1).add_string(1, "server");
            {
                protozero::pbf_writer image(config, 2);
                image.add_string(1, gateway_image);
                image.add_string(18, gateway_image);  // as the pod's author wrote it
            }
            protozero::pbf_writer linux_config(config, 15);
            // oom_score_adj, as a best-effort pod has it: less than what we have ourselves may be refused.
            protozero::pbf_writer(linux_config, 1).add_int64(5, 1000);
            protozero::pbf_writer security(linux_config, 2);
            add_own_processes(security, 3);
        }
        message.add_message(3, sandbox_config(pod));
    }
    call("StartContainer", request_for(first_text(call("CreateContainer", request))));
}

void Kubelet::stop(const std::string& sandbox) const
{
    call("StopPodSandbox", request_for(sandbox));
}

void Kubelet::remove(const std::string& sandbox) const
{
    call("RemovePodSandbox", request_for(sandbox));
}

void prepare_for_runtimes()
{
    if (fs::exists("/sys/fs/cgroup/cgroup.procs"))
        return;
    const auto mount_fresh = [](const char* type, const char* where) {
        if (mount(type, where, type, 0, nullptr) != 0)
            throw std::system_error(errno, std::generic_category(), std::string("mount ") + where);
    };
    mount_fresh("cgroup2", "/sys/fs/cgroup");
    mount_fresh("tmpfs", "/var/lib");
    mount_fresh("tmpfs", "/var/cache");
}

void replace_file(const fs::path& path, const std::string& text)
{
    const fs::path temporary = path.string() + ".new";
    std::ofstream(temporary) << text;
    fs::rename(temporary, path);
}

fs::path pack_gateway_image(const fs::path& directory)
{
    fs::create_directories(directory / "root");
    fs::copy_file(runtime_gateway(), directory / "root/gateway");
    must_execute(
        {.argv = {"tar", "-C", (directory / "root").string(), "-cf", (directory / "layer.tar").string(), "gateway"}});
    const Json config{{"architecture", GATEWAY_ARCHITECTURE},
                      {"os", "linux"},
                      {"config", {{"Entrypoint", {"/gateway"}}}},
                      {"rootfs", {{"type", "layers"}, {"diff_ids", {"sha256:" + sha256(directory / "layer.tar")}}}}};
    replace_file(directory / "config.json", config.dump());
    const Json manifest{{{"Config", "config.json"}, {"RepoTags", {gateway_image}}, {"Layers", {"layer.tar"}}}};
    replace_file(directory / "manifest.json", manifest.dump());
    const fs::path archive = directory / "image.tar";
    must_execute({.argv = {"tar", "-C", directory.string(), "-cf", archive.string(), "manifest.json", "config.json",
                           "layer.tar"}});
    return archive;
}

}  // namespace sallyport::test
