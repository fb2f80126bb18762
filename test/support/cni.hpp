// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// The runtime's side of the CNI protocol, as libcni plays it: a list of plugins, each called with the previous one's
// result at ADD, and in reverse order at DEL.
#pragma once

#include "support/netns.hpp"
#include "support/places.hpp"
#include "support/subprocess.hpp"

#include <nlohmann/json.hpp>

#include <map>
#include <string>
#include <vector>

namespace sallyport::test {

using Json = nlohmann::json;

/// One call of one plugin, as it is made and as it ended.
struct PluginCall
{
    std::string command{};  ///< CNI_COMMAND
    std::string container_id{};
    std::string netns{};
    std::string ifname = "eth0";
    std::string args{};  ///< CNI_ARGS
    std::string stdin_text{};
};

struct Answer
{
    int status = 0;
    std::string out;
    std::string err;

    bool ok() const { return status == 0; }
    Json json() const;  ///< all of stdout; throws where it isn't one JSON value
    int code() const;   ///< of the error; 0 on success
    std::string message() const;
    bool mentions(const std::string& text) const { return message().find(text) != std::string::npos; }
};

/// The environment that a runtime would set. Empty values of `call` stand for variables that aren't set, but for
/// `netns` at DEL, which runtimes do set to nothing.
std::vector<std::string> environment_of(const PluginCall& call);

Invocation invocation_of(const std::string& binary, const PluginCall& call, const Namespace& host);

/// Calls `binary` in the host's namespace.
Answer call_plugin(const std::string& binary, const PluginCall& call, const Namespace& host);

/// A plugin's share of a list, made complete as libcni does: name, version, previous result, and of the runtime's
/// values those that the plugin's `capabilities` ask for.
Json plugin_config(const Json& list, const Json& plugin, const Json& runtime_values, const Json& previous);

/// Does DEL of this version bring prevResult? Since 0.4.0.
bool del_has_previous(const std::string& cni_version);

}  // namespace sallyport::test
