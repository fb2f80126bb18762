// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "nerdctl.hpp"

#include "support/content.hpp"
#include "support/sandbox.hpp"

#include <catch2/catch_test_macros.hpp>

#include <cstdlib>
#include <iterator>
#include <stdexcept>
#include <utility>

namespace sallyport::test {
namespace {

namespace fs = std::filesystem;

fs::path binary_of_nerdctl()
{
    const char* const named = std::getenv("SALLYPORT_NERDCTL");
    if (named == nullptr || *named == '\0')
        SKIP("SALLYPORT_NERDCTL names no nerdctl: `make nerdctl` builds one");
    return fs::absolute(named);
}

std::string cgroup_of_containers(const Cgroup& cgroup)
{
    return '/' + cgroup.path().lexically_relative(sandbox_directory() / "cgroup2").string() + "/containers";
}

}  // namespace

Nerdctl::Nerdctl(LocalNode& node)
    : node_(node),
      containerd_(node, false, Release::two),
      binary_(binary_of_nerdctl()),
      netconf_dir_(node.directory() / "nerdctl-net.d")
{
    REQUIRE(fs::exists(binary_));
    for (const char* const plugin : {"bridge", "portmap", "firewall", "tuning"})
        fs::create_symlink(std::string("/usr/lib/cni/") + plugin, containerd_.directory() / "bin" / plugin);
    must({"load", "--quiet", "--input", (containerd_.directory() / "image/image.tar").string()});
}

Output Nerdctl::call(std::vector<std::string> words) const
{
    std::vector<std::string> argv{binary_.string(),
                                  "--address",
                                  containerd_.socket().string(),
                                  "--snapshotter",
                                  "native",
                                  "--cgroup-manager",
                                  "cgroupfs",
                                  "--cni-path",
                                  (containerd_.directory() / "bin").string(),
                                  "--cni-netconfpath",
                                  netconf_dir_.string(),
                                  "--data-root",
                                  (node_.directory() / "nerdctl").string()};
    std::move(words.begin(), words.end(), std::back_inserter(argv));
    const Stay in_cgroup(node_.cgroup, processes);
    return execute({.argv = argv, .environment = {"PATH=" + containerd_.path(), "HOME=/root"}, .netns = &node_.host});
}

std::string Nerdctl::must(std::vector<std::string> words) const
{
    std::string line = "nerdctl";
    for (const std::string& word : words)
        line += ' ' + word;
    Output output = call(std::move(words));
    if (output.status != 0)
        throw std::runtime_error(line + ": " + output.out + output.err);
    while (output.out.ends_with('\n'))
        output.out.pop_back();
    return output.out;
}

Output Nerdctl::run(const std::string& name, std::vector<std::string> words) const
{
    words.insert(words.begin(), {"run", "--detach", "--pull", "never", "--cgroup-parent",
                                 cgroup_of_containers(node_.cgroup), "--name", name, "--hostname", name});
    words.emplace_back(gateway_image);
    return call(std::move(words));
}

void Nerdctl::must_run(const std::string& name, std::vector<std::string> words) const
{
    const Output output = run(name, std::move(words));
    INFO(output.out << output.err << containerd_.log() << content(node_.log_file()));
    REQUIRE(output.status == 0);
}

std::string Nerdctl::replace_portmap(const fs::path& file) const
{
    Json list = Json::parse(content(file));
    for (Json& plugin : list["plugins"])
        if (plugin["type"] == "portmap")
            plugin["type"] = "sallyport";
    write(file, list);
    return content(file);
}

void Nerdctl::write(const fs::path& file, Json list) const
{
    for (Json& plugin : list["plugins"])
        if (plugin["type"] == "sallyport")
            for (const char* const place : {"bpffs", "cgroup", "stateDir", "logFile", "logLevel"})
                plugin[place] = node_.plugin.at(place);
    fs::create_directories(file.parent_path());
    replace_file(file, list.dump(2));
}

}  // namespace sallyport::test
