// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/cri_messages.hpp"

#include <nlohmann/json.hpp>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

namespace sallyport::test {
namespace {

void add_common(protozero::pbf_writer& message, const CriPod& pod)
{
    message.add_string(1, pod.id);
    {
        protozero::pbf_writer metadata(message, 2);
        metadata.add_string(1, pod.name);
        metadata.add_string(2, "uid-of-" + pod.name);
        metadata.add_string(3, pod.kubernetes_namespace);
        metadata.add_uint32(4, 1);
    }
    if (!pod.ready)
        message.add_enum(3, 1);
    message.add_int64(4, pod.created_at);
}

void add_map(protozero::pbf_writer& message, protozero::pbf_tag_type tag, const std::string& key,
             const std::string& value)
{
    protozero::pbf_writer entry(message, tag);
    entry.add_string(1, key);
    entry.add_string(2, value);
}

}  // namespace

std::string version_response(const std::string& name, const std::string& version)
{
    std::string bytes;
    protozero::pbf_writer message(bytes);
    message.add_string(1, "0.1.0");
    message.add_string(2, name);
    message.add_string(3, version);
    message.add_string(4, "v1");
    return bytes;
}

std::string list_response(const std::vector<CriPod>& pods)
{
    std::string bytes;
    protozero::pbf_writer message(bytes);
    for (const CriPod& pod : pods) {
        protozero::pbf_writer item(message, 1);
        add_common(item, pod);
        add_map(item, 5, "app", pod.name);  // labels
        for (const auto& [key, value] : pod.annotations)
            add_map(item, 6, key, value);
        item.add_string(7, "runc");
    }
    return bytes;
}

std::string status_response(const CriPod& pod)
{
    std::string bytes;
    protozero::pbf_writer message(bytes);
    {
        protozero::pbf_writer status(message, 1);
        add_common(status, pod);
        {
            protozero::pbf_writer network(status, 5);
            network.add_string(1, pod.addresses.empty() ? "" : pod.addresses.front());
            for (std::size_t i = 1; i < pod.addresses.size(); i++) {
                protozero::pbf_writer pod_ip(network, 2);
                pod_ip.add_string(1, pod.addresses[i]);
            }
        }
        {
            protozero::pbf_writer linux_status(status, 6);
            protozero::pbf_writer namespaces(linux_status, 1);
            protozero::pbf_writer options(namespaces, 2);
            options.add_enum(1, pod.host_network ? 2 : 0);
            options.add_enum(2, 1);
        }
        add_map(status, 7, "app", pod.name);
        for (const auto& [key, value] : pod.annotations)
            add_map(status, 8, key, value);
    }
    if (!pod.info.empty())
        add_map(message, 2, "info", pod.info);
    message.add_int64(4, 1);
    return bytes;
}

std::string asked_sandbox(const std::string& request)
{
    protozero::pbf_reader message(request);
    return message.next(1) ? message.get_string() : "";
}

std::string info_with_netns(const std::string& path)
{
    return nlohmann::json{
        {"pid", 4711},
        {"processStatus", "running"},
        {"runtimeSpec",
         {{"ociVersion", "1.0.2"},
          {"linux",
           {{"namespaces", {{{"type", "pid"}}, {{"type", "network"}, {"path", path}}, {{"type", "mount"}}}}}}}},
    }
        .dump();
}

}  // namespace sallyport::test
