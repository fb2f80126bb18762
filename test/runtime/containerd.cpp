// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "containerd.hpp"

#include "grpc.hpp"

#include "sallyport/error.hpp"
#include "support/content.hpp"
#include "support/places.hpp"
#include "support/sandbox.hpp"

#include <catch2/catch_test_macros.hpp>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>
#include <sys/mount.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace sallyport::test {
namespace {

namespace fs = std::filesystem;

constexpr const char* image = "registry.test/gateway:1";

/// Once for the sandbox: what containerd, runc and the CNI plugins expect to find, and must not find the machine's.
void prepare_sandbox()
{
    if (fs::exists("/sys/fs/cgroup/cgroup.procs"))
        return;
    if (mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, nullptr) != 0 ||
        mount("tmpfs", "/var/lib", "tmpfs", 0, nullptr) != 0)
        throw std::system_error(errno, std::generic_category(), "mount");
}

/// Directories with the programs, before those of the system.
std::string path_of(Release release)
{
    const std::string deps = SALLYPORT_DEPS;
    const std::string system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    const std::string path = system + ':' + deps + "/runtime/usr/sbin:" + deps + "/runtime/usr/bin";
    return release == Release::two ? deps + "/containerd-2:" + path : path;
}

void write_file(const fs::path& path, const std::string& text)
{
    const fs::path temporary = path.string() + ".new";
    std::ofstream(temporary) << text;
    fs::rename(temporary, path);
}

/// The test's cgroup, as it is called where the whole of cgroup v2 is mounted.
std::string cgroup_parent(const Cgroup& cgroup)
{
    return '/' + cgroup.path().lexically_relative(sandbox_directory() / "cgroup2").string() + "/pods";
}

/// The test's cgroup has no controllers, and containerd 2 can't be told to leave the pods' share of the processor out.
constexpr const char* runc_without_shares = R"(#!/bin/sh
for word; do
    [ "$previous" != --bundle ] || sed -i 's/"shares":2//' "$word"/config.json
    previous=$word
done
exec )";

std::string sha256(const fs::path& file)
{
    return must_execute({.argv = {"sha256sum", file.string()}}).substr(0, 64);
}

}  // namespace

Containerd::Containerd(LocalNode& node, bool with_us, Release release)
    : node_(node),
      directory_(node.directory() / "containerd"),
      conf_dir_(directory_ / "net.d"),
      socket_(directory_ / "c.sock")
{
    const std::string path = path_of(release);
    if (release == Release::two && !fs::exists(std::string(SALLYPORT_DEPS) + "/containerd-2/containerd"))
        SKIP("no containerd 2: .ci/setup-tests builds it where a Go proxy can be reached");
    for (const char* const program : {"containerd", "containerd-shim-runc-v2", "ctr", "runc"})
        if (find_program(program, path).empty())
            SKIP("no " << program << ": .ci/setup unpacks one on Debian and Ubuntu");

    prepare_sandbox();
    fs::create_directories(conf_dir_);
    fs::create_directories(directory_ / "bin");
    for (const char* const plugin : {"ptp", "host-local", "loopback"})
        fs::create_symlink(std::string("/usr/lib/cni/") + plugin, directory_ / "bin" / plugin);
    fs::create_symlink(sallyport_binary(), directory_ / "bin/sallyport");
    fs::create_directories(directory_ / "sbin");
    write_file(directory_ / "sbin/runc", runc_without_shares + find_program("runc", path) + " \"$@\"\n");
    fs::permissions(directory_ / "sbin/runc", fs::perms::owner_all);
    write_chain(with_us);
    start((directory_ / "sbin").string() + ':' + path);
    import_image(path);
    REQUIRE(has_us(with_us) == with_us);
}

Containerd::~Containerd() = default;

std::string Containerd::configuration() const
{
    std::ostringstream toml;  // into which a path goes in double quotes
    toml << "version = 2\nroot = " << directory_ / "root" << "\nstate = " << directory_ / "state"
         << "\n[grpc]\naddress = " << socket_ << "\n[plugins.'io.containerd.grpc.v1.cri']\nsandbox_image = '" << image
         << "'\ndisable_apparmor = true\nrestrict_oom_score_adj = true\n"
         << "containerd.snapshotter = 'native'\ncni.bin_dir = " << directory_ / "bin"
         << "\ncni.conf_dir = " << conf_dir_ << '\n';
    return toml.str();
}

void Containerd::start(const std::string& path)
{
    write_file(directory_ / "config.toml", configuration());
    const Stay in_cgroup(node_.cgroup, processes);
    process_ = std::make_unique<Running>(
        Invocation{.argv = {"sh", "-c",
                            "exec containerd --config " + (directory_ / "config.toml").string() + " >" +
                                (directory_ / "log").string() + " 2>&1"},
                   .environment = {"PATH=" + path},
                   .netns = &node_.host});
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    for (std::string why = "not asked";; std::this_thread::sleep_for(std::chrono::milliseconds(50))) {
        try {
            client().version();
            return;
        } catch (const Error& error) {
            why = error.what();
        }
        if (std::chrono::steady_clock::now() > end)
            throw std::runtime_error("containerd doesn't answer: " + why + "\n" + log());
    }
}

/// In Docker's form of an archive, which is the simplest: containerd works out the rest. It unpacks the image for the
/// first pod, as its own configuration says; ctr's versions don't agree on how to be told.
void Containerd::import_image(const std::string& path) const
{
    const fs::path content = directory_ / "image";
    fs::create_directories(content / "root");
    fs::copy_file(runtime_gateway(), content / "root/gateway");
    must_execute(
        {.argv = {"tar", "-C", (content / "root").string(), "-cf", (content / "layer.tar").string(), "gateway"}});
    const Json config{{"architecture", GATEWAY_ARCHITECTURE},
                      {"os", "linux"},
                      {"config", {{"Entrypoint", {"/gateway"}}}},
                      {"rootfs", {{"type", "layers"}, {"diff_ids", {"sha256:" + sha256(content / "layer.tar")}}}}};
    write_file(content / "config.json", config.dump());
    const Json manifest{{{"Config", "config.json"}, {"RepoTags", {image}}, {"Layers", {"layer.tar"}}}};
    write_file(content / "manifest.json", manifest.dump());
    must_execute({.argv = {"tar", "-C", content.string(), "-cf", (content / "image.tar").string(), "manifest.json",
                           "config.json", "layer.tar"}});
    must_execute({.argv = {"ctr", "--address", socket_.string(), "--namespace", "k8s.io", "images", "import",
                           "--no-unpack", (content / "image.tar").string()},
                  .environment = {"PATH=" + path}});
    REQUIRE(knows_image());
}

/// The side of containerd that kubelets talk to hears of an import a moment later, and until then asks the image's
/// registry.
bool Containerd::knows_image() const
{
    std::string request;
    {
        protozero::pbf_writer message(request);  // ImageStatusRequest
        protozero::pbf_writer(message, 1).add_string(1, image);
    }
    const auto end = std::chrono::steady_clock::now() + patience;
    for (;; std::this_thread::sleep_for(std::chrono::milliseconds(50))) {
        const std::string response =
            grpc::call(socket_, "/runtime.v1.ImageService/ImageStatus", request, std::chrono::seconds(60));
        const bool known = protozero::pbf_reader(response).next(1);
        if (known || std::chrono::steady_clock::now() > end)
            return known;
    }
}

std::string Containerd::call(const std::string& method, const std::string& request) const
{
    return grpc::call(socket_, "/runtime.v1.RuntimeService/" + method, request, std::chrono::seconds(60));
}

std::string Containerd::run(const PodRequest& pod) const
{
    std::string request;
    {
        protozero::pbf_writer message(request);  // RunPodSandboxRequest
        protozero::pbf_writer config(message, 1);
        {
            protozero::pbf_writer metadata(config, 1);
            metadata.add_string(1, pod.name);
            metadata.add_string(2, "uid-of-" + pod.name);
            metadata.add_string(3, pod.kubernetes_namespace);
        }
        config.add_string(2, pod.name);
        for (const auto& [key, value] : pod.annotations) {
            protozero::pbf_writer entry(config, 7);
            entry.add_string(1, key);
            entry.add_string(2, value);
        }
        protozero::pbf_writer(config, 8).add_string(1, cgroup_parent(node_.cgroup));
    }
    const std::string response = call("RunPodSandbox", request);
    protozero::pbf_reader message(response);
    return message.next(1) ? message.get_string() : "";
}

void Containerd::stop(const std::string& id) const
{
    std::string request;
    protozero::pbf_writer(request).add_string(1, id);
    call("StopPodSandbox", request);
}

void Containerd::remove(const std::string& id) const
{
    std::string request;
    protozero::pbf_writer(request).add_string(1, id);
    call("RemovePodSandbox", request);
}

void Containerd::set_chain(bool with_us) const
{
    write_chain(with_us);
    REQUIRE(has_us(with_us) == with_us);
}

void Containerd::write_chain(bool with_us) const
{
    Json list{
        {"cniVersion", "1.0.0"},
        {"name", node_.network},
        {"plugins",
         {{{"type", "ptp"},
           {"ipMasq", false},
           {"ipam",
            {{"type", "host-local"},
             {"dataDir", (directory_ / "host-local").string()},
             {"ranges", {{{{"subnet", "10.2.0.0/24"}}}, {{{"subnet", "fd00:10:2::/64"}}}}},
             {"routes", {{{"dst", "0.0.0.0/0"}}, {{"dst", "::/0"}}}}}}}}},
    };
    if (with_us)
        list["plugins"].push_back(node_.plugin);
    write_file(conf_dir_ / "10-pods.conflist", list.dump(2));
}

bool Containerd::has_us(bool expected) const
{
    std::string verbose;
    protozero::pbf_writer(verbose).add_bool(1, true);
    const auto end = std::chrono::steady_clock::now() + patience;
    for (;; std::this_thread::sleep_for(std::chrono::milliseconds(50))) {
        const std::string status = call("Status", verbose);  // its `info` has the chain as JSON
        const bool has = status.find(R"("type":"sallyport")") != std::string::npos;
        const bool loaded = status.find(R"("type":"ptp")") != std::string::npos;
        if ((loaded && has == expected) || std::chrono::steady_clock::now() > end)
            return has;
    }
}

std::string Containerd::log() const
{
    return content(directory_ / "log");
}

}  // namespace sallyport::test
