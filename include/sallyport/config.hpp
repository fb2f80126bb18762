// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The network configuration that the runtime hands us on stdin, checked and typed. Refuses what it doesn't know;
// decides nothing.
#pragma once

#include "sallyport/address.hpp"
#include "sallyport/cni/json.hpp"
#include "sallyport/exposure.hpp"

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sallyport {

/// Versions of the CNI specification that we speak, oldest first.
inline constexpr std::array<std::string_view, 5> served_versions{"0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"};

/// Who may take which node ports. The default lets nobody take any.
struct Gateways
{
    std::vector<std::string> namespaces;  ///< "*" stands for all
    std::vector<PortRange> ports{{80, 80}, {443, 443}};

    bool allows_namespace(std::string_view name) const;
    bool allows_port(HostPort port) const;
};

/// Where our state lives on this node.
struct Paths
{
    std::filesystem::path bpffs = "/sys/fs/bpf";
    std::filesystem::path cgroup = "/sys/fs/cgroup";
    std::filesystem::path state_dir = "/run/sallyport";
};

/// Capacity of the flow tables, in flows.
struct FlowCapacity
{
    std::uint32_t fresh = 262144;        ///< `flows.new`: handshake not completed, not yet answered, or over
    std::uint32_t established = 131072;  ///< `flows.established`: over TCP
    std::uint32_t answered = 65536;      ///< `flows.answered`: datagrams that were answered
};

struct LogSettings
{
    std::filesystem::path file = "/var/log/sallyport.log";
    std::string level = "info";  ///< trace, debug, info, warn, error, off
};

/// One entry of `runtimeConfig.portMappings`: what `hostPort` in a pod's spec becomes.
struct PortMapping
{
    std::optional<Address> host_address;
    HostPort host_port{};
    PodPort pod_port{};
    Protocol protocol = Protocol::tcp;

    auto operator<=>(const PortMapping&) const = default;
};

/// A container's interface, as the runtime names it in GC's list of those that are still valid.
struct AttachmentId
{
    std::string container_id;
    std::string ifname;

    auto operator<=>(const AttachmentId&) const = default;
};

/// What every command needs, also on a node where the rest of the configuration has been broken since ADD.
struct BaseConfig
{
    std::string cni_version;
    std::string network;  ///< the list's `name`
    Paths paths;
    LogSettings log;
};

/// Everything; for ADD.
struct Config : BaseConfig
{
    Gateways gateways;
    std::vector<Prefix> addresses;                    ///< `addresses`, those without a `!`
    std::vector<Prefix> excluded_addresses;           ///< and those with one
    std::optional<std::vector<std::string>> devices;  ///< shell patterns; nullopt: "auto"
    bool local_access = true;
    bool reserve_ports = true;
    bool fast_path = false;
    FlowCapacity flows;

    std::map<std::string, std::string> annotations;  ///< all of the pod's, ours among them
    std::vector<PortMapping> port_mappings;
    std::optional<std::string> prev_result;  ///< as it came
};

/// The version and nothing else, so that an error can be answered in the caller's version: "" if `text` has none.
std::string cni_version_of(std::string_view text) noexcept;

/// Throws Error: decoding_failure for what isn't a JSON object, incompatible_version, unsupported_field for a key we
/// don't have, invalid_network_config for anything else that is wrong; the message holds the JSON pointer.
Config parse_config(std::string_view text);

/// Our entry of a conflist as an operator writes it, before libcni adds to it: `type` may be missing, name and version
/// are. For the agent; throws as parse_config().
Config parse_entry(std::string_view text);

/// BaseConfig's keys, as far as they can be read: what is wrong counts as missing.
struct TolerantConfig : BaseConfig
{
    std::string objection;  ///< what that is, in words; "" for nothing
};

/// For DEL, GC and CHECK, by which a runtime ends what ADD began: whatever became of the configuration meanwhile.
TolerantConfig parse_base_config(std::string_view text);

/// The same of a text that was parsed already.
TolerantConfig read_base_config(const JsonValue& root);

}  // namespace sallyport
