// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/node.hpp"
#include "support/sandbox.hpp"

#include <sstream>

namespace sallyport::test {
namespace {

constexpr const char* annotations_capability = "io.kubernetes.cri.pod-annotations";
constexpr const char* gateway_v4 = "10.1.0.1";  // the host's address on every pod's device, as with ptp
constexpr const char* gateway_v6 = "fd00:10:1::1";

std::string device_of(unsigned number)
{
    return "lxc" + std::to_string(number);
}

Json address(const char* family, const std::string& prefix, const char* gateway, const std::string& cni_version)
{
    Json result{{"interface", 1}, {"address", prefix}, {"gateway", gateway}};
    if (cni_version.starts_with("0."))
        result["version"] = family;
    return result;
}

}  // namespace

Pod::Pod(Node& node, PodSpec spec)
    : netns(node.host.name() + "-pod-" + std::to_string(next_number())),
      container_id("container-of-" + netns.name()),
      uid("uid-of-" + netns.name()),
      node_(node),
      spec_(std::move(spec)),
      number_(next_number())
{
    if (!spec_.expose.empty())
        spec_.annotations["sallyport.dev/expose"] = spec_.expose;
    const bool wishes = std::ranges::any_of(
        spec_.annotations, [](const auto& annotation) { return annotation.first.starts_with("sallyport.dev/"); });
    if (wishes && !spec_.settles_by_default)
        spec_.annotations.try_emplace("sallyport.dev/settle", "0s");
    if (spec_.primary == Primary::stand_in)
        wire();
}

/// What cilium-cni leaves behind: a veth pair, the host's end first in the result and without a sandbox, IPv6 before
/// IPv4.
void Pod::wire()
{
    const std::string device = device_of(number_);
    const unsigned number = address_number();
    v4 = "10.1." + std::to_string(1 + number / 250 % 250) + '.' + std::to_string(1 + number % 250);
    std::ostringstream v6_text;
    v6_text << "fd00:10:1::1:" << std::hex << 2 + number % 60000;
    v6 = v6_text.str();

    std::string outside = "link add " + device + " type veth peer name eth0 " +
                          (spec_.device_number != 0 ? "index " + std::to_string(spec_.device_number) + ' ' : "") +
                          "netns " + netns.name() + "\n";
    std::string inside;
    primary_result = {
        {"cniVersion", node_.cni_version},
        {"interfaces", {{{"name", device}}, {{"name", "eth0"}, {"sandbox", netns.path().string()}}}},
        {"ips", Json::array()},
        {"dns", Json::object()},
    };
    // Without nodad the kernel makes an IPv6 address usable a moment later, on a busy machine too late.
    const auto give = [&](const std::string& own, const char* length, const char* gateway, const char* any) {
        const std::string at_once = own.find(':') == std::string::npos ? "" : " nodad";
        outside += "addr add " + std::string(gateway) + length + " dev " + device + at_once + "\n";
        outside += "link set " + device + " up\n";
        outside += "route replace " + own + length + " dev " + device + "\n";  // a gone pod's, perhaps
        inside += "addr add " + own + length + " dev eth0" + at_once + "\nlink set eth0 up\n";
        inside += "route add " + std::string(gateway) + length + " dev eth0\n";
        inside += "route add " + std::string(any) + " via " + gateway + "\n";
    };
    if (spec_.v6) {
        give(v6, "/128", gateway_v6, "::/0");
        primary_result["ips"].push_back(address("6", v6 + "/128", gateway_v6, node_.cni_version));
    }
    if (spec_.v4) {
        give(v4, "/32", gateway_v4, "0.0.0.0/0");
        primary_result["ips"].push_back(address("4", v4 + "/32", gateway_v4, node_.cni_version));
    }
    node_.host.ip(outside);
    netns.ip(inside);
    netns.set_offload("eth0", node_.offload());
}

PluginCall Pod::call(const std::string& command) const
{
    return {.command = command,
            .container_id = container_id,
            .netns = netns.path().string(),
            .args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=" + spec_.kubernetes_namespace + ";K8S_POD_NAME=" + spec_.name +
                    ";K8S_POD_INFRA_CONTAINER_ID=" + container_id + ";K8S_POD_UID=" + uid,
            .stdin_text = config(command).dump()};
}

Json Pod::config(const std::string& command) const
{
    Json values = Json::object();
    if (!spec_.annotations.empty())
        values[annotations_capability] = spec_.annotations;
    if (!spec_.port_mappings.is_null())
        values["portMappings"] = spec_.port_mappings;

    Json previous;
    if (command == "ADD")
        previous = primary_result;
    else if (command == "CHECK" || del_has_previous(node_.cni_version))
        previous = result;
    return plugin_config(node_.list(), node_.plugin, values, previous);
}

Answer Pod::call_primary(const std::string& command)
{
    const Json plugin = {
        {"type", "ptp"},
        {"ipMasq", false},
        {"ipam",
         {{"type", "host-local"},
          {"dataDir", (node_.directory() / "host-local").string()},
          {"ranges", {{{{"subnet", "10.2.0.0/24"}}}, {{{"subnet", "fd00:10:2::/64"}}}}},
          {"routes", {{{"dst", "0.0.0.0/0"}}, {{"dst", "::/0"}}}}}},
    };
    PluginCall primary = call(command);
    const Json previous = command == "DEL" && del_has_previous(node_.cni_version) ? result : Json();
    primary.stdin_text = plugin_config(node_.list(), plugin, Json::object(), previous).dump();
    return call_plugin("/usr/lib/cni/ptp", primary, node_.host);
}

void Pod::learn_addresses()
{
    for (const Json& ip : primary_result.at("ips")) {
        const std::string text = ip.at("address");
        (text.find(':') == std::string::npos ? v4 : v6) = text.substr(0, text.find('/'));
    }
}

Answer Pod::add()
{
    if (spec_.primary == Primary::ptp) {
        const Answer primary = call_primary("ADD");
        if (!primary.ok())
            return primary;
        primary_result = primary.json();
        learn_addresses();
        netns.set_offload("eth0", node_.offload());
    }
    const Answer answer = call_plugin(sallyport_binary(), call("ADD"), node_.host);
    if (answer.ok())
        result = answer.json();
    return answer;
}

Answer Pod::del()
{
    Answer answer = call_plugin(sallyport_binary(), call("DEL"), node_.host);
    if (!answer.ok() || spec_.primary != Primary::ptp)
        return answer;  // as libcni: the first failure ends the chain
    const Answer primary = call_primary("DEL");
    return primary.ok() ? answer : primary;
}

Answer Pod::check() const
{
    return call_plugin(sallyport_binary(), call("CHECK"), node_.host);
}

}  // namespace sallyport::test
