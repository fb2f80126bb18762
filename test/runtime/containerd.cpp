// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "containerd.hpp"

#include "sallyport/error.hpp"
#include "support/content.hpp"
#include "support/places.hpp"

#include <catch2/catch_test_macros.hpp>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include <csignal>
#include <sstream>
#include <stdexcept>
#include <thread>
#include <utility>

namespace sallyport::test {
namespace {

namespace fs = std::filesystem;

/// Directories with the programs, before those of the system.
std::string path_of(Release release)
{
    const std::string deps = SALLYPORT_DEPS;
    const std::string system = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    const std::string path = system + ':' + deps + "/runtime/usr/sbin:" + deps + "/runtime/usr/bin";
    return release == Release::two ? deps + "/containerd-2:" + path : path;
}

/// The test's cgroup has no controllers, and containerd 2 can't be told to leave the pods' share of the processor out.
constexpr const char* runc_without_shares = R"(#!/bin/sh
for word; do
    [ "$previous" != --bundle ] || sed -i 's/"shares":2//' "$word"/config.json
    previous=$word
done
exec )";

}  // namespace

Containerd::Containerd(LocalNode& node, bool with_us, Release release) : Containerd(node, with_us, ptp(node), release)
{}

Containerd::Containerd(LocalNode& node, bool with_us, PrimaryPlugin primary, Release release)
    : node_(node),
      primary_(std::move(primary)),
      directory_(node.directory() / "containerd"),
      conf_dir_(directory_ / "net.d"),
      socket_(directory_ / "c.sock"),
      kubelet_(socket_, node.cgroup)
{
    const std::string path = path_of(release);
    if (release == Release::two && !fs::exists(std::string(SALLYPORT_DEPS) + "/containerd-2/containerd"))
        SKIP("no containerd 2: .ci/setup-tests builds it where a Go proxy can be reached");
    for (const char* const program : {"containerd", "containerd-shim-runc-v2", "ctr", "runc"})
        if (find_program(program, path).empty())
            SKIP("no " << program << ": .ci/setup unpacks one on Debian and Ubuntu");

    prepare_for_runtimes();
    fs::create_directories(conf_dir_);
    fs::create_directories(directory_ / "bin");
    for (const char* const plugin : {"host-local", "loopback"})
        fs::create_symlink(std::string("/usr/lib/cni/") + plugin, directory_ / "bin" / plugin);
    for (const auto& [name, program] : primary_.programs)
        fs::create_symlink(program, directory_ / "bin" / name);
    fs::create_symlink(sallyport_binary(), directory_ / "bin/sallyport");
    fs::create_directories(directory_ / "sbin");
    replace_file(directory_ / "sbin/runc", runc_without_shares + find_program("runc", path) + " \"$@\"\n");
    fs::permissions(directory_ / "sbin/runc", fs::perms::owner_all);
    write_chain(with_us);
    replace_file(directory_ / "config.toml", configuration(release));
    path_ = (directory_ / "sbin").string() + ':' + path;
    start();
    import_image();
    REQUIRE(has_us(with_us) == with_us);
}

Containerd::~Containerd() = default;

/// In each release's own form: containerd 2 reads that of 1, and from 2.4 on it passes over `bin_dir` in its own.
std::string Containerd::configuration(Release release) const
{
    std::ostringstream toml;  // into which a path goes in double quotes
    toml << "version = " << (release == Release::two ? 3 : 2) << "\nroot = " << directory_ / "root"
         << "\nstate = " << directory_ / "state" << "\n[grpc]\naddress = " << socket_ << '\n';
    if (release == Release::two)
        toml << "[plugins.'io.containerd.cri.v1.images']\nsnapshotter = 'native'\npinned_images.sandbox = '"
             << gateway_image << "'\n[plugins.'io.containerd.cri.v1.runtime']\ncni.bin_dirs = [" << directory_ / "bin"
             << "]\n";
    else
        toml << "[plugins.'io.containerd.grpc.v1.cri']\nsandbox_image = '" << gateway_image
             << "'\ncontainerd.snapshotter = 'native'\ncni.bin_dir = " << directory_ / "bin" << '\n';
    toml << "cni.conf_dir = " << conf_dir_ << "\ndisable_apparmor = true\nrestrict_oom_score_adj = true\n";
    return toml.str();
}

void Containerd::start()
{
    const Stay in_cgroup(node_.cgroup, processes);
    process_ = std::make_unique<Running>(
        Invocation{.argv = {"sh", "-c",
                            "exec containerd --config " + (directory_ / "config.toml").string() + " >>" +
                                (directory_ / "log").string() + " 2>&1"},
                   .environment = {"PATH=" + path_},
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

void Containerd::restart()
{
    process_->signal(SIGKILL);
    process_.reset();
    start();
}

/// It unpacks the image for the first pod, as its own configuration says; ctr's versions don't agree on how to be told.
void Containerd::import_image() const
{
    const fs::path archive = pack_gateway_image(directory_ / "image");
    must_execute({.argv = {"ctr", "--address", socket_.string(), "--namespace", "k8s.io", "images", "import",
                           "--no-unpack", archive.string()},
                  .environment = {"PATH=" + path_}});
    REQUIRE(knows_image());
}

/// The side of containerd that kubelets talk to hears of an import a moment later, and until then asks the image's
/// registry.
bool Containerd::knows_image() const
{
    std::string request;
    {
        protozero::pbf_writer message(request);  // ImageStatusRequest
        protozero::pbf_writer(message, 1).add_string(1, gateway_image);
    }
    const auto end = std::chrono::steady_clock::now() + patience;
    for (;; std::this_thread::sleep_for(std::chrono::milliseconds(50))) {
        const std::string response = kubelet_.call_images("ImageStatus", request);
        const bool known = protozero::pbf_reader(response).next(1);
        if (known || std::chrono::steady_clock::now() > end)
            return known;
    }
}

void Containerd::set_chain(bool with_us) const
{
    write_chain(with_us);
    REQUIRE(has_us(with_us) == with_us);
}

void Containerd::write_chain(bool with_us) const
{
    const Json list = list_of_pods(node_, primary_, with_us ? node_.plugin : Json());
    replace_file(conf_dir_ / "10-pods.conflist", list.dump(2));
}

bool Containerd::has_us(bool expected) const
{
    std::string verbose;
    protozero::pbf_writer(verbose).add_bool(1, true);
    const auto end = std::chrono::steady_clock::now() + patience;
    for (;; std::this_thread::sleep_for(std::chrono::milliseconds(50))) {
        const std::string status = kubelet_.call("Status", verbose);  // its `info` has the chain as JSON
        const bool has = status.find(R"("type":"sallyport")") != std::string::npos;
        const bool loaded = status.find(R"("type":")" + primary_.entry["type"].get<std::string>()) != std::string::npos;
        if ((loaded && has == expected) || std::chrono::steady_clock::now() > end)
            return has;
    }
}

std::vector<AdoptionResult> Containerd::adopt() const
{
    Config config = parse_entry(node_.plugin.dump());
    config.network = node_.network;
    return node_.host.run([&] { return adopt_earlier_pods(client(), config); });
}

std::string Containerd::log() const
{
    return content(directory_ / "log");
}

}  // namespace sallyport::test
