// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A stand-in for a Kubernetes API server, over real TLS (api_server.py).
#pragma once

#include "sallyport/kubernetes.hpp"

#include "support/netns.hpp"
#include "support/node.hpp"
#include "support/subprocess.hpp"
#include "support/temporary_directory.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace sallyport::test {

class ApiServer
{
public:
    /// Listens at all addresses of that namespace; its certificate is for this one.
    explicit ApiServer(const Namespace& netns, const std::string& address = "127.0.0.1");

    /// How a pod of node `n1` reaches it.
    Cluster cluster() const;

    /// One of the commands that api_server.py knows; it is in force then.
    void tell(const nlohmann::json& command) const;

    void list(const std::vector<nlohmann::json>& pods, const std::string& version) const
    {
        tell({{"pods", pods}, {"version", version}});
    }

    void send(const std::string& type, const nlohmann::json& object) const
    {
        tell({{"event", {{"type", type}, {"object", object}}}});
    }

    /// What it was asked so far, a line each: token, tab, target.
    std::vector<std::string> requests() const;

    /// The Event objects that it took.
    std::vector<nlohmann::json> events() const;

    /// Kubelet's work.
    void replace_token(const std::string& token) const;

private:
    TemporaryDirectory directory_;
    std::string address_;
    Running process_;
};

/// A pod as the API server tells of it.
nlohmann::json api_pod(const std::string& uid, const std::string& version, bool ready);
nlohmann::json api_pod(const Pod& pod, const std::string& version, bool ready);

/// The same, told to end just now, with a grace period of 30 s.
nlohmann::json ending(nlohmann::json object);

}  // namespace sallyport::test
