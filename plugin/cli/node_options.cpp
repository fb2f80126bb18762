// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "checks.hpp"
#include "commands.hpp"

namespace sallyport {

void add_node_options(CLI::App& command, NodeOptions& options)
{
    static const std::map<std::string, ChainMethod> methods{
        {"auto", ChainMethod::automatic}, {"drop-in", ChainMethod::drop_in}, {"conflist", ChainMethod::conflist}};
    command
        .add_option("--config", options.config,
                    "our entry of the CNI list, one JSON object: from a mounted ConfigMap, say")
        ->option_text("FILE")
        ->capture_default_str();
    command
        .add_option("--cni-bin-dir", options.cni_bin_dir,
                    "where the container runtime looks for plugins; on k3s /var/lib/rancher/k3s/data/cni")
        ->option_text("DIR")
        ->capture_default_str();
    command
        .add_option("--cni-conf-dir", options.cni_conf_dir,
                    "where it looks for networks; on k3s /var/lib/rancher/k3s/agent/etc/cni/net.d")
        ->option_text("DIR")
        ->capture_default_str();
    command
        .add_option_function<std::string>(
            "--chain", [&options](const std::string& text) { options.chain = methods.at(text); },
            "where our entry goes: `drop-in`, a file beside the primary plugin's list (containerd 2.1 and later); "
            "`conflist`, that list itself; `auto`, what suits the runtime")
        ->check(one_of({"auto", "drop-in", "conflist"}))
        ->option_text("WHERE")
        ->default_str("auto");
    command
        .add_option("--cri-socket", options.cri_socket,
                    "where the container runtime answers: a path; `auto`: containerd's, CRI-O's or k3s's; or `off`")
        ->option_text("PATH")
        ->capture_default_str();
}

}  // namespace sallyport
