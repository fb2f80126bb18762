// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A node in miniature: a host with one outside device, a client out there, and pods that a CNI chain attaches.
//
//   client                    host                      pods
//   192.168.100.2  -- eth0 -- 192.168.100.1  -- lxcN -- 10.1.x.y
//   fd00:100::2               fd00:100::1               fd00:10:1::1:x
//
// The client routes pods' addresses and a range of "virtual" ones by way of the host, as a router in front of it would.
#pragma once

#include "support/cni.hpp"
#include "support/netns.hpp"
#include "support/sockets.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace sallyport::test {

inline const std::string node_v4 = "192.168.100.1";
inline const std::string node_v6 = "fd00:100::1";
inline const std::string client_v4 = "192.168.100.2";
inline const std::string client_v6 = "fd00:100::2";
inline const std::string virtual_v4 = "192.0.2.10";  // routed to the host, on none of its devices
inline const std::string virtual_v6 = "2001:db8::10";

/// What a footprint should be in the end. Compared with, it shows what is left when something is.
inline const std::vector<std::string> nothing;

class Node
{
public:
    Node();
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    ~Node();

    Namespace host;
    Namespace client;

    /// Our entry of the list; for tests to change. Allows the namespaces `gateways` and `others` the ports 80, 443 and
    /// 8000 to 8999. Bpffs, cgroup, state directory and log file are this node's own.
    Json plugin;
    std::string cni_version = "0.3.1";  // Cilium's up to 1.19; 1.0.0 since July 2026
    std::string network = "pods";

    const std::filesystem::path& directory() const { return directory_; }
    std::filesystem::path bpffs() const { return directory_ / "bpffs"; }
    std::filesystem::path state_dir() const { return directory_ / "state"; }
    std::filesystem::path log_file() const { return directory_ / "sallyport.log"; }

    void unmount_bpffs();

    /// Makes the plugin believe that another build of it has loaded the programs that are pinned here.
    void pretend_another_build() const;

    /// `sallyport status --json`
    Json status() const;

    /// `sallyport <words>`, in the host's namespace, with this node's bpffs.
    Output tool(std::vector<std::string> words) const;

    /// Everything of ours that the kernel knows here: pins and attached programs.
    std::vector<std::string> footprint() const;

    /// The same, once it is empty or `patience` is over. Where a test itself removed pins: the kernel lets go of what
    /// they held a grace period later.
    std::vector<std::string> settled_footprint() const;

    /// Calls the plugin with a configuration of its own making: name, version and `extra` merged in.
    Answer call(const std::string& command, const Json& extra = Json::object()) const;

    Json list() const { return {{"name", network}, {"cniVersion", cni_version}}; }

    /// Both are told what the client's and the pods' devices do about checksums (Namespace::set_offload).
    void set_offload(bool on)
    {
        offload_ = on;
        client.set_offload("eth0", on);
    }
    bool offload() const { return offload_; }

private:
    std::filesystem::path directory_;
    bool bpffs_mounted_ = false;
    bool offload_ = true;
};

/// Who plays the plugin before us.
enum class Primary {
    stand_in,  ///< this fixture: a veth pair, and a result of the shape that Cilium's has
    ptp,       ///< the CNI project's ptp and host-local
};

struct PodSpec
{
    std::string name = "gateway";
    std::string kubernetes_namespace = "gateways";
    std::string expose{};  ///< the annotation, if any
    std::map<std::string, std::string> annotations{};
    Json port_mappings{};
    Primary primary = Primary::stand_in;
    bool v4 = true;
    bool v6 = true;
    bool settles_by_default = false;  ///< `settle` isn't set where the annotations don't
    unsigned address_number = 0;      ///< as another pod's address_number(): it gets that one's addresses
    int device_number = 0;            ///< of its eth0; 0: what the kernel gives, mostly 2. With the stand-in alone
};

/// A pod with annotations has `settle: 0s` unless its spec says otherwise, so that what takes over does so at once.
class Pod
{
public:
    Pod(Node& node, PodSpec spec = {});
    Pod(const Pod&) = delete;
    Pod& operator=(const Pod&) = delete;

    Namespace netns;
    std::string container_id;
    std::string uid;  ///< as Kubernetes knows it
    std::string v4;   ///< known from the start with the stand-in, after ADD with ptp
    std::string v6;
    Json primary_result;
    Json result;  ///< of the whole chain; what a runtime caches

    const PodSpec& spec() const { return spec_; }
    unsigned address_number() const { return spec_.address_number != 0 ? spec_.address_number : number_; }
    std::string full_name() const { return spec_.kubernetes_namespace + '/' + spec_.name; }

    /// The chain's ADD: the answer of the plugin that failed, or else of the last one, ours.
    Answer add();
    Answer del();
    Answer check() const;

    /// Our plugin's call, for tests that change it before they make it.
    PluginCall call(const std::string& command) const;
    Json config(const std::string& command) const;

private:
    void wire();
    Answer call_primary(const std::string& command);
    void learn_addresses();

    Node& node_;
    PodSpec spec_;
    unsigned number_;
};

}  // namespace sallyport::test
