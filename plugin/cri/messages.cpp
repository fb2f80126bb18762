// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "messages.hpp"

#include "sallyport/cni/json.hpp"
#include "sallyport/error.hpp"

#include <protozero/exception.hpp>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include <optional>
#include <utility>

namespace sallyport::cri {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;

constexpr std::int32_t sandbox_ready = 0;  // PodSandboxState.SANDBOX_READY
constexpr std::int32_t of_node = 2;        // NamespaceMode.NODE

/// A field's number with its form on the wire: a field of another form is none that we know, and is skipped.
constexpr std::uint32_t bytes_at(std::uint32_t number)
{
    return protozero::tag_and_type(number, protozero::pbf_wire_type::length_delimited);
}
constexpr std::uint32_t number_at(std::uint32_t number)
{
    return protozero::tag_and_type(number, protozero::pbf_wire_type::varint);
}

/// Runs `read` over a whole message.
template <typename Read>
auto reading(const char* message, Read&& read)
{
    try {
        return read();
    } catch (const protozero::exception& error) {
        throw Error(Code::io_failure, std::string("the answer is no ") + message + ": " + error.what() +
                                          "; does `--cri-socket` name the container runtime's?");
    }
}

/// One entry of a map<string, string>.
std::pair<std::string, std::string> read_entry(pbf_reader entry)
{
    std::pair<std::string, std::string> pair;
    while (entry.next())
        switch (entry.tag_and_type()) {
        case bytes_at(1):
            pair.first = entry.get_string();
            break;
        case bytes_at(2):
            pair.second = entry.get_string();
            break;
        default:
            entry.skip();
        }
    return pair;
}

/// PodSandboxMetadata
void read_metadata(pbf_reader metadata, Sandbox& sandbox)
{
    while (metadata.next())
        switch (metadata.tag_and_type()) {
        case bytes_at(1):
            sandbox.pod_name = metadata.get_string();
            break;
        case bytes_at(2):
            sandbox.uid = metadata.get_string();
            break;
        case bytes_at(3):
            sandbox.pod_namespace = metadata.get_string();
            break;
        default:
            metadata.skip();
        }
}

/// What PodSandbox and PodSandboxStatus share; true where the field is one of these.
bool read_common(pbf_reader& message, Sandbox& sandbox)
{
    switch (message.tag_and_type()) {
    case bytes_at(1):
        sandbox.id = message.get_string();
        return true;
    case bytes_at(2):
        read_metadata(message.get_message(), sandbox);
        return true;
    case number_at(3):
        sandbox.ready = message.get_enum() == sandbox_ready;
        return true;
    case number_at(4):
        sandbox.created_at = message.get_int64();
        return true;
    default:
        return false;
    }
}

Sandbox new_sandbox()
{
    Sandbox sandbox;
    sandbox.ready = true;  // SANDBOX_READY is 0, and a field that is 0 isn't sent
    return sandbox;
}

/// PodSandbox
Sandbox read_listed(pbf_reader item)
{
    Sandbox sandbox = new_sandbox();
    while (item.next())
        if (item.tag_and_type() == bytes_at(6))
            sandbox.annotations.insert(read_entry(item.get_message()));
        else if (!read_common(item, sandbox))
            item.skip();
    return sandbox;
}

/// PodSandboxNetworkStatus: `ip`, and in `additional_ips` messages PodIP.
void read_network(pbf_reader network, std::vector<std::string>& addresses)
{
    while (network.next())
        if (network.tag_and_type() == bytes_at(1)) {
            if (std::string first = network.get_string(); !first.empty())
                addresses.insert(addresses.begin(), std::move(first));
        } else if (network.tag_and_type() == bytes_at(2)) {
            for (pbf_reader pod_ip = network.get_message(); pod_ip.next(1, pbf_wire_type::length_delimited);)
                addresses.push_back(pod_ip.get_string());
        } else {
            network.skip();
        }
}

/// LinuxPodSandboxStatus: namespaces.options.network.
bool uses_host_network(pbf_reader linux_status)
{
    std::int32_t mode = 0;
    while (linux_status.next(1, pbf_wire_type::length_delimited))
        for (pbf_reader namespaces = linux_status.get_message(); namespaces.next(2, pbf_wire_type::length_delimited);)
            for (pbf_reader options = namespaces.get_message(); options.next(1, pbf_wire_type::varint);)
                mode = options.get_enum();
    return mode == of_node;
}

/// PodSandboxStatus
Sandbox read_status(pbf_reader status)
{
    Sandbox sandbox = new_sandbox();
    while (status.next())
        switch (status.tag_and_type()) {
        case bytes_at(5):
            read_network(status.get_message(), sandbox.addresses);
            break;
        case bytes_at(6):
            sandbox.host_network = uses_host_network(status.get_message());
            break;
        case bytes_at(8):
            sandbox.annotations.insert(read_entry(status.get_message()));
            break;
        default:
            if (!read_common(status, sandbox))
                status.skip();
        }
    return sandbox;
}

/// The path of the pod's network namespace, from what a verbose status has under `info`. containerd
/// (internal/cri/types/sandbox_info.go, before 2.0 pkg/cri/server/sandbox_status.go) and CRI-O
/// (server/sandbox_status.go) both put the OCI runtime's specification there; it is null for a sandbox half made.
std::string netns_in(std::string_view info)
{
    std::optional<JsonValue> value = JsonValue::parse(info, JsonValue::Duplicates::last_wins);
    for (const char* const key : {"runtimeSpec", "linux", "namespaces"})
        if (value)
            value = value->find_set(key);
    if (!value)
        return {};
    for (const JsonValue& entry : value->elements()) {
        const auto type = entry.find_set("type");
        const auto path = entry.find_set("path");
        if (type && path && type->string() == "network")
            return path->string();
    }
    return {};
}

}  // namespace

std::string status_request(std::string_view sandbox_id)
{
    std::string bytes;
    protozero::pbf_writer request(bytes);
    request.add_string(1, sandbox_id.data(), sandbox_id.size());
    request.add_bool(2, true);
    return bytes;
}

RuntimeVersion read_version_response(std::string_view bytes)
{
    return reading("VersionResponse", [&] {
        RuntimeVersion version;
        for (pbf_reader response(bytes.data(), bytes.size()); response.next();)
            if (response.tag_and_type() == bytes_at(2))
                version.name = response.get_string();
            else if (response.tag_and_type() == bytes_at(3))
                version.version = response.get_string();
            else
                response.skip();
        return version;
    });
}

std::vector<Sandbox> read_list_response(std::string_view bytes)
{
    return reading("ListPodSandboxResponse", [&] {
        std::vector<Sandbox> sandboxes;
        for (pbf_reader response(bytes.data(), bytes.size()); response.next(1, pbf_wire_type::length_delimited);)
            sandboxes.push_back(read_listed(response.get_message()));
        return sandboxes;
    });
}

Sandbox read_status_response(std::string_view bytes)
{
    return reading("PodSandboxStatusResponse", [&] {
        Sandbox sandbox;
        std::string info;
        for (pbf_reader response(bytes.data(), bytes.size()); response.next();)
            if (response.tag_and_type() == bytes_at(1)) {
                sandbox = read_status(response.get_message());
            } else if (response.tag_and_type() == bytes_at(2)) {
                if (auto [key, value] = read_entry(response.get_message()); key == "info")
                    info = std::move(value);
            } else {
                response.skip();
            }
        if (info.empty())
            return sandbox;
        try {
            sandbox.netns = netns_in(info);
        } catch (const Error& error) {
            throw Error(Code::io_failure,
                        std::string("the answer's `info` isn't as containerd and CRI-O write it: ") + error.what());
        }
        return sandbox;
    });
}

}  // namespace sallyport::cri
