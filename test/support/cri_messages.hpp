// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// CRI's messages, as a runtime writes them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sallyport::test {

/// A pod as the runtime of a test knows it.
struct CriPod
{
    std::string id;
    std::string kubernetes_namespace;
    std::string name;
    std::map<std::string, std::string> annotations{};
    std::vector<std::string> addresses{};
    std::string info{};  ///< JSON, as a verbose status has it
    bool ready = true;
    bool host_network = false;
    std::int64_t created_at = 1;
};

std::string version_response(const std::string& name, const std::string& version);
std::string list_response(const std::vector<CriPod>& pods);
std::string status_response(const CriPod& pod);

/// The id that a PodSandboxStatusRequest asks for.
std::string asked_sandbox(const std::string& request);

/// What containerd and CRI-O say where a pod's network namespace is, among much else.
std::string info_with_netns(const std::string& path);

}  // namespace sallyport::test
