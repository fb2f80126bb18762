// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Is this node in order, and if not, what is to be done? Facts are gathered first, and judged as values. Changes
// nothing on the node.
#pragma once

#include "sallyport/answered.hpp"
#include "sallyport/config.hpp"
#include "sallyport/frontend.hpp"
#include "sallyport/os/netlink.hpp"
#include "sallyport/packet_filter.hpp"
#include "sallyport/report.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

enum class Level { fine, note, warning, failure };

std::string_view name(Level level);

struct Finding
{
    std::string topic;  ///< which part of the node: "kernel", "chain", ...
    std::string check;  ///< which question was asked; never changes its name
    Level level = Level::fine;
    std::string what;
    std::string advice;  ///< what to do; empty where there is nothing
};

// ---- facts ----------------------------------------------------------------------------------------------------------

struct HostFacts
{
    bool root = true;
    std::string kernel;                ///< release, as of uname(2)
    std::vector<std::string> lacking;  ///< missing_in_kernel()
    bool tcx = true;
    bool ipv4_forwarding = true;
    bool ipv6_forwarding = true;
    bool bpffs_mounted = true;
    std::optional<std::filesystem::path> cgroup;  ///< the cgroup v2 directory that is used; nullopt: there is none
    std::size_t cgroup_children = 0;
    std::string state_dir_problem;  ///< why the lock can't be had; empty: it can
};

/// Of the container runtime, as it answers over CRI.
struct RuntimeFacts
{
    std::filesystem::path socket;  ///< empty: there is none
    std::string problem;           ///< why it doesn't answer; empty: it does
    std::string name;
    std::string version;
};

/// Of the node's agent, as it has left word in `stateDir` and says over HTTP.
struct AgentFacts
{
    bool runs = false;
    bool died = false;        ///< one was killed, or crashed, and none has begun since
    std::string listen;       ///< where it serves HTTP; empty: nowhere
    std::string problem;      ///< why it doesn't answer there; empty: it does
    bool alive = true;        ///< /healthz
    bool ready = true;        ///< /readyz
    std::string not_ready{};  ///< and why not, a reason a line; where it is ready, what else falls short
};

struct BinaryFacts
{
    std::filesystem::path file;
    bool exists = true;
    bool executable = true;
    bool noexec = false;       ///< mounted so
    bool same_as_this = true;  ///< byte for byte
};

/// A file that a runtime reads, or would read.
struct InspectedList
{
    std::filesystem::path file;
    std::string problem;  ///< why it isn't a list of plugins; empty: it is one
    std::string network;  ///< `name`
    std::string cni_version;
    std::vector<std::string> types;    ///< of the plugins, in their order
    std::vector<std::string> entries;  ///< ours among them, as JSON
    bool ignores_drop_ins = false;     ///< loadOnlyInlinedPlugins
};

struct ChainFacts
{
    std::filesystem::path directory;
    bool exists = true;
    std::string problem;                       ///< why it can't be read; empty: it can
    std::optional<InspectedList> active;       ///< the first by name, which is what runtimes use
    std::vector<InspectedList> shadowed;       ///< later ones that have an entry of ours
    std::vector<InspectedList> drop_ins;       ///< ours, for the active network
    std::vector<std::filesystem::path> moved;  ///< renamed by Cilium, with an entry of ours
};

struct ConfigFacts
{
    std::string source;           ///< the file that it comes from; empty: there is none
    std::string problem;          ///< why it isn't valid; empty: it is
    Config config;                ///< defaults where there is none, or no valid one
    bool mappings_alone = false;  ///< the list asks the runtime for no annotations, but for what is published
};

/// Does our entry of a list ask the runtime for this capability?
bool asks_for(const std::string& entry, std::string_view capability);

struct StateFacts
{
    bool exists = false;
    bool complete = false;
    std::optional<std::uint32_t> abi;  ///< of whoever made it
    bool of_this_build = false;
    std::vector<std::string> elsewhere{};  ///< devices that run our programs, though no state is seen from here
};

/// What the datapath and the node's network say of each other; only where state of ours could be read.
struct DatapathFacts
{
    NodeReport report;
    std::vector<std::string> missing_hooks;
    std::vector<Address> unanswered;    ///< of those that should be
    std::vector<Prefix> stale;          ///< answered, though they should not be any more
    std::vector<std::string> vanished;  ///< pods whose namespace is gone
};

/// An address, and what has it.
struct HeldAddress
{
    LocalAddress local;
    std::string device;
    bool outside = false;  ///< an outside device
    bool of_pod = false;   ///< the host's end of a pod's
};

struct NetworkFacts
{
    std::string problem;                 ///< why the outside devices can't be told; empty: they can
    std::vector<Device> devices;         ///< outside ones, as the configuration has them
    std::vector<std::string> xdp;        ///< "eth0 (cil_xdp_entry)"
    std::vector<HeldAddress> addresses;  ///< without loopback and link-local ones
    Answered answered;                   ///< as the configuration has it
    std::vector<Frontend> frontends;     ///< what others serve at node ports of ours
    std::vector<PortRange> given_ports;  ///< those that the kernel gives to who connects without bind()
    bool cilium = false;
};

/// The node's packet filter, and who has to pass it.
struct FilterFacts
{
    std::string problem;  ///< why it can't be read; empty: it can
    std::vector<FilterChain> chains;
    std::vector<Passage> towards_pods;  ///< first packets; before the first gateway from each outside device to any pod
};

struct Facts
{
    HostFacts host;
    RuntimeFacts runtime;
    std::optional<AgentFacts> agent;  ///< nullopt: not looked for
    BinaryFacts binary;
    ChainFacts chain;
    ConfigFacts config;
    NetworkFacts network;
    FilterFacts filter;
    StateFacts state;
    std::optional<DatapathFacts> datapath;
    std::string datapath_problem;  ///< why it couldn't be read, though it is there
};

struct DoctorOptions
{
    std::filesystem::path config = "/etc/sallyport/config.json";  ///< where no network names us
    std::filesystem::path cni_conf_dir = "/etc/cni/net.d";
    std::filesystem::path cni_bin_dir = "/opt/cni/bin";
    std::string cri_socket = "auto";             ///< as in NodeOptions
    std::optional<std::filesystem::path> bpffs;  ///< in the configuration's place
};

Facts gather_facts(const DoctorOptions& options);

// ---- judgement: functions of values ---------------------------------------------------------------------------------

/// Reads a file's text as a runtime would, which goes by its name too. `drop_in`: one plugin, for a network's
/// directory.
InspectedList inspect_list(const std::filesystem::path& file, const std::string& text, bool drop_in);

std::vector<Finding> check_host(const HostFacts& host, const Config& config, bool cilium);
std::vector<Finding> check_runtime(const RuntimeFacts& runtime, const ChainFacts& chain);
std::vector<Finding> check_agent(const AgentFacts& agent);
/// `runtime`: who reads it, where it is known.
std::vector<Finding> check_chain(const ChainFacts& chain, const RuntimeFacts& runtime = {});
std::vector<Finding> check_binary(const BinaryFacts& binary);
std::vector<Finding> check_config(const ConfigFacts& config);
std::vector<Finding> check_network(const NetworkFacts& network);
std::vector<Finding> check_addresses(const NetworkFacts& network);
std::vector<Finding> check_filter(const FilterFacts& filter, const Config& config, bool cilium);
std::vector<Finding> check_state(const StateFacts& state, const Paths& paths);
std::vector<Finding> check_datapath(const DatapathFacts& datapath);
std::vector<Finding> check_ports(const NodeReport& report, const NetworkFacts& network);

/// All of them, in the order in which a reader should meet them.
std::vector<Finding> examine(const Facts& facts);

}  // namespace sallyport
