// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/cni.hpp"

namespace sallyport::test {

Json Answer::json() const
{
    return Json::parse(out);
}

int Answer::code() const
{
    return ok() ? 0 : json().at("code").get<int>();
}

std::string Answer::message() const
{
    return ok() ? "" : json().at("msg").get<std::string>();
}

std::vector<std::string> environment_of(const PluginCall& call)
{
    std::vector<std::string> environment{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "CNI_PATH=/usr/lib/cni"};
    const auto set = [&](const std::string& name, const std::string& value, bool always = false) {
        if (always || !value.empty())
            environment.push_back(name + '=' + value);
    };
    set("CNI_COMMAND", call.command);
    set("CNI_CONTAINERID", call.container_id);
    set("CNI_NETNS", call.netns, call.command == "DEL");
    set("CNI_IFNAME", call.ifname);
    set("CNI_ARGS", call.args);
    return environment;
}

Invocation invocation_of(const std::string& binary, const PluginCall& call, const Namespace& host)
{
    return {.argv = {binary}, .environment = environment_of(call), .input = call.stdin_text, .netns = &host};
}

Answer call_plugin(const std::string& binary, const PluginCall& call, const Namespace& host)
{
    Output output = execute(invocation_of(binary, call, host));
    return {output.status, std::move(output.out), std::move(output.err)};
}

Json plugin_config(const Json& list, const Json& plugin, const Json& runtime_values, const Json& previous)
{
    Json config = plugin;
    config["name"] = list.at("name");
    config["cniVersion"] = list.at("cniVersion");
    if (!previous.is_null())
        config["prevResult"] = previous;
    const Json capabilities = plugin.value("capabilities", Json::object());
    for (const auto& [name, wanted] : capabilities.items()) {
        if (wanted == true && runtime_values.contains(name))
            config["runtimeConfig"][name] = runtime_values.at(name);
    }
    return config;
}

bool del_has_previous(const std::string& cni_version)
{
    return !cni_version.starts_with("0.3.");
}

}  // namespace sallyport::test
