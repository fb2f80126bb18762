// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/config.hpp"

#include "sallyport/cni/json.hpp"
#include "sallyport/cni/runtime_config.hpp"
#include "sallyport/error.hpp"
#include "sallyport/listed.hpp"
#include "sallyport/names.hpp"

#include <algorithm>
#include <array>

namespace sallyport {
namespace {

/// The specification's, which the list's author or libcni may put into any plugin's configuration.
constexpr std::array<std::string_view, 13> cni_keys = {
    "cniVersion", "name",         "type",      "capabilities",           "args",   "ipam", "dns", "runtimeConfig",
    "prevResult", "disableCheck", "disableGC", "loadOnlyInlinedPlugins", "ipMasq",
};

/// What libcni adds to an entry itself.
constexpr std::array<std::string_view, 6> added_keys = {
    "cniVersion", "name", "runtimeConfig", "prevResult", "cni.dev/valid-attachments", "cni.dev/attachments",
};

constexpr std::array<std::string_view, 12> our_keys = {
    "gateways", "addresses", "devices", "localAccess", "reservePorts", "fastPath",
    "flows",    "bpffs",     "cgroup",  "stateDir",    "logFile",      "logLevel",
};

constexpr std::array<std::string_view, 6> log_levels = {"trace", "debug", "info", "warn", "error", "off"};

constexpr std::uint64_t fewest_flows = 1024;
constexpr std::uint64_t most_flows = 16777216;

[[noreturn]] void refuse_key(const JsonValue& value, std::string_view key, Names known)
{
    throw Error(Code::unsupported_field,
                in_quotes(value.pointer()) + " isn't a key of Sallyport's configuration; " + advice_for(key, known));
}

void refuse_unknown_keys(const JsonValue& object, Names known)
{
    for (const auto& [key, value] : object.members())
        if (!is_one_of(key, known))
            refuse_key(value, key, known);
}

void refuse_unknown_top_level_keys(const JsonValue& root)
{
    for (const auto& [key, value] : root.members()) {
        const bool namespaced = key.find('/') != std::string::npos;  // cni.dev/valid-attachments and its like
        if (!namespaced && !is_one_of(key, our_keys) && !is_one_of(key, cni_keys))
            refuse_key(value, key, our_keys);
    }
}

void check_capabilities(const JsonValue& root)
{
    if (const auto capabilities = root.find_set("capabilities"))
        for (const auto& [name, on] : capabilities->members())
            static_cast<void>(on.boolean());
}

/// libcni reads a whole list with its own types: one wrong value in our entry, and no pod of the network starts.
void check_for_libcni(const JsonValue& root)
{
    check_capabilities(root);
    const auto check_string = [](const JsonValue& object, std::string_view key) {
        if (const auto value = object.find_set(key))
            static_cast<void>(value->string());
    };
    if (const auto ipam = root.find_set("ipam"))
        check_string(*ipam, "type");
    const auto dns = root.find_set("dns");
    if (!dns)
        return;
    check_string(*dns, "domain");
    for (const std::string_view key : {"nameservers", "search", "options"})
        if (const auto list = dns->find_set(key))
            for (const JsonValue& element : list->elements())
                static_cast<void>(element.string());
}

std::string read_version(const JsonValue& root)
{
    const auto value = root.find_set("cniVersion");
    std::string version = value && value->is_string() ? value->string() : "";
    if (is_one_of(version, served_versions))
        return version;
    throw Error(Code::incompatible_version, "cniVersion " + (version.empty() ? "is missing" : in_quotes(version)) +
                                                "; Sallyport serves " + listed(served_versions));
}

void read_path(const JsonValue& root, std::string_view key, std::filesystem::path& path)
{
    const auto value = root.find(key);
    if (!value)
        return;
    const std::string text = value->nonempty_string();
    if (text[0] != '/' || text.find('\0') != std::string::npos)
        value->refuse("an absolute path");
    path = text;
}

std::string read_network_name(const JsonValue& root)
{
    const auto name = root.find("name");
    if (!name)
        throw Error(Code::invalid_network_config,
                    "/name is missing; expected the network's name, which libcni fills in");
    return name->nonempty_string();
}

void read_log_level(const JsonValue& root, BaseConfig& config)
{
    const auto level = root.find("logLevel");
    if (!level)
        return;
    const std::string text = level->string();
    if (!is_one_of(text, log_levels))
        level->refuse("one of " + listed(log_levels));
    config.log.level = text;
}

/// `attempt` calls what it is given: to go on past what is wrong, or not.
template <typename Attempt>
void read_places(const JsonValue& root, BaseConfig& config, const Attempt& attempt)
{
    attempt([&] { read_path(root, "bpffs", config.paths.bpffs); });
    attempt([&] { read_path(root, "cgroup", config.paths.cgroup); });
    attempt([&] { read_path(root, "stateDir", config.paths.state_dir); });
    attempt([&] { read_path(root, "logFile", config.log.file); });
    attempt([&] { read_log_level(root, config); });
}

template <typename Attempt>
void read_network(const JsonValue& root, BaseConfig& config, const Attempt& attempt)
{
    attempt([&] { config.cni_version = read_version(root); });
    attempt([&] { config.network = read_network_name(root); });
}

constexpr auto at_once = [](const auto& read) { read(); };

void read_switch(const JsonValue& root, std::string_view key, bool& on)
{
    if (const auto value = root.find(key))
        on = value->boolean();
}

PortRange read_port_range(const JsonValue& value)
{
    if (!value.is_string()) {
        const auto port = static_cast<std::uint16_t>(value.integer(1, 65535));
        return {port, port};
    }
    const std::string text = value.string();
    const std::size_t dash = std::min(text.find('-'), text.size());
    const auto first = parse_port(std::string_view(text).substr(0, dash));
    const auto last = dash < text.size() ? parse_port(std::string_view(text).substr(dash + 1)) : first;
    if (!first || !last || *first > *last)
        value.refuse("a port from 1 to 65535, or a range such as \"8000-8999\"");
    return {*first, *last};
}

Gateways read_gateways(const JsonValue& value)
{
    static constexpr std::array<std::string_view, 2> keys = {"namespaces", "ports"};
    refuse_unknown_keys(value, keys);
    Gateways gateways;
    if (const auto namespaces = value.find("namespaces"))
        for (const JsonValue& element : namespaces->elements()) {
            gateways.namespaces.push_back(element.nonempty_string());
            if (const std::string& name = gateways.namespaces.back();
                name != "*" && name.find('*') != std::string::npos)
                element.refuse("a namespace's whole name, or \"*\" for all; patterns aren't served");
        }
    if (const auto ports = value.find("ports")) {
        gateways.ports.clear();
        for (const JsonValue& element : ports->elements())
            gateways.ports.push_back(read_port_range(element));
    }
    return gateways;
}

FlowCapacity read_flows(const JsonValue& value)
{
    static constexpr std::array<std::string_view, 3> keys = {"new", "established", "answered"};
    refuse_unknown_keys(value, keys);
    FlowCapacity flows;
    if (const auto fresh = value.find("new"))
        flows.fresh = static_cast<std::uint32_t>(fresh->integer(fewest_flows, most_flows));
    if (const auto established = value.find("established"))
        flows.established = static_cast<std::uint32_t>(established->integer(fewest_flows, most_flows));
    if (const auto answered = value.find("answered"))
        flows.answered = static_cast<std::uint32_t>(answered->integer(fewest_flows, most_flows));
    return flows;
}

void refuse_address(const JsonValue& element, const Prefix& prefix, bool excluded)
{
    if (prefix.address.is_loopback() || prefix.address.is_multicast())
        element.refuse(excluded ? "unicast addresses; on loopback node ports are answered for the node itself alone "
                                  "(`localAccess`), and on multicast addresses never"
                                : "unicast addresses of this node; this one would catch other traffic too");
    // 0.0.0.0/0 with a `!`: none of the node's own
    if (prefix.address.is_any() && !excluded)
        element.refuse("unicast addresses of this node; this one would catch other traffic too");
}

void read_addresses(const JsonValue& value, Config& config)
{
    for (const JsonValue& element : value.elements()) {
        const std::string text = element.string();
        const bool excluded = text.starts_with('!');
        const auto prefix = Prefix::parse(std::string_view(text).substr(excluded ? 1 : 0));
        if (!prefix)
            element.refuse("an address or a prefix without host bits, such as 192.0.2.7 or 192.0.2.0/24, or one not "
                           "to answer on, such as !192.0.2.9");
        refuse_address(element, *prefix, excluded);
        auto& list = excluded ? config.excluded_addresses : config.addresses;
        const auto& other = excluded ? config.addresses : config.excluded_addresses;
        if (std::find(other.begin(), other.end(), *prefix) != other.end())
            element.refuse("each prefix once, with or without a `!`");
        list.push_back(*prefix);
    }
}

std::optional<std::vector<std::string>> read_devices(const JsonValue& value)
{
    const std::string expected = "\"auto\" or a list of device names, which may hold * and ?";
    if (value.is_string()) {
        if (value.string() != "auto")
            value.refuse(expected);
        return std::nullopt;
    }
    std::vector<std::string> devices;
    for (const JsonValue& element : value.elements())
        devices.push_back(element.nonempty_string());
    if (devices.empty())
        value.refuse(expected + ", and at least one of them");
    return devices;
}

void read_settings(const JsonValue& root, Config& config)
{
    if (const auto gateways = root.find("gateways"))
        config.gateways = read_gateways(*gateways);
    if (const auto addresses = root.find("addresses"))
        read_addresses(*addresses, config);
    if (const auto devices = root.find("devices"))
        config.devices = read_devices(*devices);
    if (const auto flows = root.find("flows"))
        config.flows = read_flows(*flows);
    read_switch(root, "localAccess", config.local_access);
    read_switch(root, "reservePorts", config.reserve_ports);
    read_switch(root, "fastPath", config.fast_path);
}

}  // namespace

bool Gateways::allows_namespace(std::string_view name) const
{
    return std::any_of(namespaces.begin(), namespaces.end(), [name](const std::string& allowed) {
        return allowed == "*" || (allowed == name && !name.empty());
    });
}

bool Gateways::allows_port(HostPort port) const
{
    return std::any_of(ports.begin(), ports.end(), [port](const PortRange& range) {
        return range.first <= number(port) && number(port) <= range.last;
    });
}

std::string cni_version_of(std::string_view text) noexcept
{
    try {
        const auto value = JsonValue::parse(text, JsonValue::Duplicates::last_wins).find("cniVersion");
        return value && value->is_string() ? value->string() : "";
    } catch (...) {
        return "";  // whatever is wrong with the text is reported by those who need more of it
    }
}

Config parse_config(std::string_view text)
{
    const JsonValue root = JsonValue::parse(text, JsonValue::Duplicates::refused);
    Config config;
    read_network(root, config, at_once);
    read_places(root, config, at_once);
    refuse_unknown_top_level_keys(root);
    check_capabilities(root);
    read_settings(root, config);
    if (const auto runtime_config = root.find_set("runtimeConfig")) {
        config.annotations = read_pod_annotations(*runtime_config);
        config.port_mappings = read_port_mappings(*runtime_config);
    }
    if (const auto prev_result = root.find_set("prevResult")) {
        static_cast<void>(prev_result->members());  // an object, whatever is in it
        config.prev_result = raw_member(text, "prevResult");
    }
    return config;
}

Config parse_entry(std::string_view text)
{
    const JsonValue root = JsonValue::parse(text, JsonValue::Duplicates::refused);
    refuse_unknown_top_level_keys(root);
    for (const std::string_view key : added_keys)
        if (const auto value = root.find(key))
            value->refuse("nothing: libcni adds it, in an entry of a conflist it doesn't belong");
    if (const auto type = root.find("type"); type && type->string() != "sallyport")
        type->refuse("\"sallyport\"");
    check_for_libcni(root);
    Config config;
    read_places(root, config, at_once);
    read_settings(root, config);
    return config;
}

TolerantConfig read_base_config(const JsonValue& root)
{
    TolerantConfig config;
    const auto tolerantly = [&config](const auto& read) {
        try {
            read();
        } catch (const Error& error) {
            config.objection += (config.objection.empty() ? "" : "; ") + std::string(error.what());
        }
    };
    read_network(root, config, tolerantly);
    read_places(root, config, tolerantly);
    return config;
}

TolerantConfig parse_base_config(std::string_view text)
{
    try {
        return read_base_config(JsonValue::parse(text, JsonValue::Duplicates::last_wins));
    } catch (const Error& error) {
        TolerantConfig config;
        config.objection = error.what();
        return config;
    }
}

}  // namespace sallyport
