// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Our programs as pods of a cluster.
#pragma once

#include "support/api_server.hpp"

#include <filesystem>

namespace sallyport::test {

/// While it lives, our programs are pods of that server's node `n1`: the sandbox has a /run of its own.
class PodOf
{
public:
    explicit PodOf(const ApiServer& server);
    PodOf(const PodOf&) = delete;
    PodOf& operator=(const PodOf&) = delete;
    ~PodOf();

private:
    std::filesystem::path directory_ = "/run/secrets/kubernetes.io/serviceaccount";
};

}  // namespace sallyport::test
