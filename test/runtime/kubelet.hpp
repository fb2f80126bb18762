// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a kubelet tells a real runtime, and what it and its runtime find on a node in miniature: an image, and in the
// sandbox nothing of the machine's.
#pragma once

#include "sallyport/error.hpp"
#include "support/local_node.hpp"

#include <filesystem>
#include <map>
#include <string>

namespace sallyport::test {

/// What a kubelet would say about a pod.
struct PodRequest
{
    std::string name = "gateway";
    std::string kubernetes_namespace = "gateways";
    std::map<std::string, std::string> annotations{{"sallyport.dev/expose", "80:9080"}};
    unsigned attempt = 0;  ///< one more for each sandbox that a kubelet makes for the same pod
};

/// The image that all pods run, as the runtime's own pause image and as a container's: runtime/image/gateway.cpp.
inline constexpr const char* gateway_image = "registry.test/gateway:1";

/// Calls throw Error with what the runtime says.
class Kubelet
{
public:
    Kubelet(std::filesystem::path socket, const Cgroup& cgroup);

    /// Returns the sandbox's id.
    std::string run(const PodRequest& pod = {}) const;

    /// Starts the image's program in a sandbox, for runtimes whose sandboxes have no process.
    void start_container(const std::string& sandbox, const PodRequest& pod) const;

    void stop(const std::string& sandbox) const;
    void remove(const std::string& sandbox) const;

    /// As the image service, or as the runtime service, is asked; returns the answer's bytes.
    std::string call(const std::string& method, const std::string& request) const;
    std::string call_images(const std::string& method, const std::string& request) const;

private:
    std::string sandbox_config(const PodRequest& pod) const;

    std::filesystem::path socket_;
    std::string cgroup_parent_;
};

/// What the runtime says when it is told to run a pod that we refuse.
template <typename Runtime>
std::string refusal_of(const Runtime& runtime, const PodRequest& pod)
{
    try {
        runtime.run(pod);
    } catch (const Error& error) {
        return error.what();
    }
    return "nothing was refused";
}

/// Once for the sandbox: what runtimes and CNI plugins expect to find, and must not find the machine's.
void prepare_for_runtimes();

/// Packs the image in Docker's form of an archive, which is the simplest, below `directory`; returns the archive.
std::filesystem::path pack_gateway_image(const std::filesystem::path& directory);

/// Replaces it, as a runtime that watches its directory likes it.
void replace_file(const std::filesystem::path& path, const std::string& text);

}  // namespace sallyport::test
