// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/pod_of.hpp"

#include <cstdlib>
#include <string>

namespace sallyport::test {

PodOf::PodOf(const ApiServer& server)
{
    const Cluster cluster = server.cluster();
    std::filesystem::create_directories(directory_);
    std::filesystem::copy(cluster.token, directory_);
    std::filesystem::copy(cluster.authorities, directory_);
    setenv("KUBERNETES_SERVICE_HOST", cluster.host.c_str(), 1);
    setenv("KUBERNETES_SERVICE_PORT", std::to_string(cluster.port).c_str(), 1);
    setenv("NODE_NAME", cluster.node.c_str(), 1);
}

PodOf::~PodOf()
{
    std::filesystem::remove_all(directory_);
    for (const char* name : {"KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "NODE_NAME"})
        unsetenv(name);
}

}  // namespace sallyport::test
