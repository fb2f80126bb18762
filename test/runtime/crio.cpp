// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "crio.hpp"

#include "primary.hpp"

#include "sallyport/error.hpp"
#include "support/content.hpp"
#include "support/places.hpp"

#include <catch2/catch_test_macros.hpp>

#include <csignal>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace sallyport::test {
namespace {

namespace fs = std::filesystem;

/// A restart with 200 pods asks each one's CHECK before it answers, one after the other.
constexpr std::chrono::seconds longest_start{180};

fs::path binary_of_crio()
{
    const char* const named = std::getenv("SALLYPORT_CRIO");
    if (named == nullptr || *named == '\0')
        SKIP("SALLYPORT_CRIO names no CRI-O (test/README.md)");
    return fs::absolute(named);
}

/// What is beside CRI-O comes before what the system has.
std::string path_beside(const fs::path& crio)
{
    const std::string deps = SALLYPORT_DEPS;
    return crio.parent_path().string() + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:" + deps +
           "/runtime/usr/sbin:" + deps + "/runtime/usr/bin";
}

fs::path plugin_file(const std::string& name, const std::string& path)
{
    return find_program(name, path + ":/usr/lib/cni");
}

std::string newest_common_version(const fs::path& plugin)
{
    const Output answer = execute({.argv = {plugin.string()}, .environment = {"CNI_COMMAND=VERSION"}, .input = "{}"});
    return answer.out.find("\"1.1.0\"") == std::string::npos ? "1.0.0" : "1.1.0";
}

}  // namespace

Crio::Crio(LocalNode& node)
    : node_(node),
      directory_(node.directory() / "crio"),
      conf_dir_(directory_ / "net.d"),
      socket_(directory_ / "c.sock"),
      kubelet_(socket_, node.cgroup)
{
    const fs::path crio = binary_of_crio();
    path_ = path_beside(crio);
    REQUIRE(fs::exists(crio));
    for (const char* const program : {"conmon", "pinns", "buildah"})
        if (find_program(program, path_).empty())
            SKIP("no " << program << " beside SALLYPORT_CRIO, nor in the system");
    if (find_program("crun", path_).empty() && find_program("runc", path_).empty())
        SKIP("neither crun nor runc beside SALLYPORT_CRIO, nor in the system");

    prepare_for_runtimes();
    fs::create_directories(conf_dir_);
    fs::create_directories(directory_ / "bin");
    for (const char* const plugin : {"ptp", "host-local", "loopback"})
        fs::create_symlink(plugin_file(plugin, path_), directory_ / "bin" / plugin);
    fs::create_symlink(sallyport_binary(), directory_ / "bin/sallyport");
    list_version_ = newest_common_version(directory_ / "bin/ptp");
    write_list();
    replace_file(directory_ / "policy.json", R"({"default": [{"type": "insecureAcceptAnything"}]})");
    replace_file(directory_ / "crio.conf", configuration());
    start();
    import_image();
}

Crio::~Crio() = default;

std::string Crio::configuration() const
{
    const std::string crun = find_program("crun", path_);
    const auto below = [this](const char* name) { return (directory_ / name).string(); };
    std::ostringstream toml;  // into which a path goes in double quotes
    toml << "[crio]\nroot = " << directory_ / "root" << "\nrunroot = " << directory_ / "runroot"
         << "\nstorage_driver = 'vfs'\nlog_dir = " << directory_ / "logs"
         << "\nversion_file = " << directory_ / "version"
         << "\nversion_file_persist = " << directory_ / "version-persist"
         << "\nclean_shutdown_file = " << directory_ / "clean.shutdown" << "\n[crio.api]\nlisten = " << socket_
         << "\nstream_port = '0'\nstream_address = '127.0.0.1'"
         << "\n[crio.runtime]\ncgroup_manager = 'cgroupfs'\nconmon_cgroup = 'pod'\napparmor_profile = 'unconfined'"
         << "\nlog_level = 'info'\nhooks_dir = []\npinns_path = '" << find_program("pinns", path_)
         << "'\ncontainer_exits_dir = '" << below("exits") << "'\ncontainer_attach_socket_dir = '" << below("attach")
         << "'\nenable_criu_support = false\ndefault_runtime = 'oci'\n[crio.runtime.runtimes.oci]\nruntime_path = '"
         << (crun.empty() ? find_program("runc", path_) : crun) << "'\nruntime_root = '" << below("oci")
         << "'\nmonitor_path = '" << find_program("conmon", path_)
         << "'\nmonitor_cgroup = 'pod'\nmonitor_env = ['PATH=" << path_ << "']\n[crio.image]\npause_image = '"
         << gateway_image << "'\npause_command = '/gateway'\nsignature_policy = '" << below("policy.json")
         << "'\nbig_files_temporary_dir = '" << directory_.string() << "'\n[crio.network]\nnetwork_dir = '"
         << conf_dir_.string() << "'\nplugin_dirs = ['" << below("bin") << "']\n[crio.nri]\nenable_nri = false\n";
    return toml.str();
}

void Crio::start()
{
    {
        const Stay in_cgroup(node_.cgroup, processes);
        process_ = std::make_unique<Running>(
            Invocation{.argv = {"sh", "-c",
                                "exec \"$0\" --config " + (directory_ / "crio.conf").string() + " --config-dir '' >>" +
                                    (directory_ / "log").string() + " 2>&1",
                                binary_of_crio().string()},
                       .environment = {"PATH=" + path_},
                       .netns = &node_.host});
    }
    const auto end = std::chrono::steady_clock::now() + longest_start;
    for (std::string why = "not ready"; !network_ready(); std::this_thread::sleep_for(std::chrono::milliseconds(50)))
        if (std::chrono::steady_clock::now() > end)
            throw std::runtime_error("CRI-O isn't ready\n" + log());
}

void Crio::kill()
{
    process_->signal(SIGKILL);
    process_.reset();
}

bool Crio::network_ready() const
{
    try {
        // In StatusResponse each condition is its type's name, and then field 2, a bool: true.
        return kubelet_.call("Status", "").find(std::string("NetworkReady\x10\x01")) != std::string::npos;
    } catch (const Error&) {
        return false;
    }
}

/// Into CRI-O's own storage, which several programs may use at once.
void Crio::import_image() const
{
    const fs::path archive = pack_gateway_image(directory_ / "image");
    must_execute({.argv = {"buildah", "--storage-driver", "vfs", "--root", (directory_ / "root").string(), "--runroot",
                           (directory_ / "runroot").string(), "pull", "--quiet", "--signature-policy",
                           (directory_ / "policy.json").string(), "docker-archive:" + archive.string()},
                  .environment = {"PATH=" + path_, "HOME=" + directory_.string(), "TMPDIR=" + directory_.string()}});
}

std::string Crio::run(const PodRequest& pod) const
{
    const std::string sandbox = kubelet_.run(pod);
    kubelet_.start_container(sandbox, pod);
    return sandbox;
}

void Crio::stop_and_remove(const std::string& sandbox) const
{
    kubelet_.stop(sandbox);
    kubelet_.remove(sandbox);
}

void Crio::write_list() const
{
    const Json list = list_of_pods(node_, ptp(node_, list_version_), node_.plugin);
    replace_file(conf_dir_ / "10-pods.conflist", list.dump(2));
}

std::string Crio::log() const
{
    const std::string all = content(directory_ / "log");
    return all.size() < 6000 ? all : all.substr(all.size() - 6000);
}

}  // namespace sallyport::test
