// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What the agent asks the node's container runtime over its own interface (CRI, `runtime.v1.RuntimeService`): who it
// is, and which pods there are. Only asks; starts, stops and changes nothing. Whatever is at the other end of the
// socket, a call ends by its deadline and takes a bounded amount of memory.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sallyport {

/// As the runtime says it: "containerd" and "v2.1.4", "cri-o" and "1.32.1".
struct RuntimeVersion
{
    std::string name;
    std::string version;
};

/// A pod, as the runtime keeps it. list_sandboxes() leaves the last three members empty, which inspect() fills.
struct Sandbox
{
    std::string id;  ///< what CNI calls the container's id
    std::string pod_namespace;
    std::string pod_name;
    std::string uid;
    bool ready = false;
    std::int64_t created_at = 0;  ///< ns since 1970
    std::map<std::string, std::string> annotations;
    std::vector<std::string>
        addresses;      ///< the pod's, the primary one first; none where its network isn't the runtime's
    std::string netns;  ///< path; "" where the runtime doesn't tell it
    bool host_network = false;
};

/// The socket to ask: `option` itself where it is a path, none for "off", and for "auto" the first of those where
/// containerd, CRI-O and k3s or RKE2 listen; none where there is none of them.
std::optional<std::filesystem::path> find_cri_socket(const std::string& option);

/// Each call makes a connection of its own. All throw Error, with the socket and what to do: try_again_later where the
/// runtime can't be reached or doesn't answer in time, unknown_container for a sandbox that it doesn't have (any more),
/// io_failure where it refuses, or answers with what isn't CRI.
class CriClient
{
public:
    /// `deadline` is one call's.
    explicit CriClient(std::filesystem::path socket, std::chrono::milliseconds deadline = std::chrono::seconds(5))
        : socket_(std::move(socket)),
          deadline_(deadline)
    {}

    const std::filesystem::path& socket() const { return socket_; }

    RuntimeVersion version() const;

    /// All of them, those that have ended included; oldest first.
    std::vector<Sandbox> list_sandboxes() const;

    Sandbox inspect(const std::string& id) const;

private:
    template <typename Result>
    Result ask(const std::string& method, const std::string& request, Result (*read)(std::string_view)) const;

    std::filesystem::path socket_;
    std::chrono::milliseconds deadline_;
};

}  // namespace sallyport
