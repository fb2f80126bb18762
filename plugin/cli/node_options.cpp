// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "commands.hpp"

namespace sallyport {

void add_node_options(CLI::App& command, NodeOptions& options)
{
    static const std::map<std::string, ChainMethod> methods{
        {"auto", ChainMethod::automatic}, {"drop-in", ChainMethod::drop_in}, {"conflist", ChainMethod::conflist}};
    command
        .add_option("--config", options.config,
                    "our entry of the CNI list, one JSON object: from a mounted ConfigMap, say")
        ->capture_default_str();
    command
        .add_option("--cni-bin-dir", options.cni_bin_dir,
                    "where the container runtime looks for plugins; on k3s /var/lib/rancher/k3s/data/cni")
        ->capture_default_str();
    command
        .add_option("--cni-conf-dir", options.cni_conf_dir,
                    "where it looks for networks; on k3s /var/lib/rancher/k3s/agent/etc/cni/net.d")
        ->capture_default_str();
    command
        .add_option(
            "--chain", options.chain,
            "where our entry goes: `drop-in`, a file beside the primary plugin's list (containerd 2.1 and later); "
            "`conflist`, that list itself; `auto`, what suits the runtime")
        ->transform(CLI::Transformer(methods))
        ->option_text("auto|drop-in|conflist [auto]");
    command
        .add_option("--cri-socket", options.cri_socket,
                    "where the container runtime answers: a path; `auto`: containerd's, CRI-O's or k3s's; or `off`")
        ->capture_default_str();
}

}  // namespace sallyport
