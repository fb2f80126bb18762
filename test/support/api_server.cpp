// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/api_server.hpp"

#include "support/content.hpp"
#include "support/places.hpp"
#include "support/sockets.hpp"

#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

namespace sallyport::test {

namespace {

Invocation invocation(const Namespace& netns, const std::filesystem::path& directory, const std::string& address)
{
    return {.argv = {source_directory() + "/test/support/api_server.py", directory.string(), address},
            .environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
            .netns = &netns};
}

}  // namespace

ApiServer::ApiServer(const Namespace& netns, const std::string& address)
    : address_(address),
      process_(invocation(netns, directory_.path(), address))
{
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!std::filesystem::exists(directory_.path() / "port")) {
        if (std::chrono::steady_clock::now() > end)
            throw std::runtime_error("the API server doesn't listen: " + process_.errors());
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

Cluster ApiServer::cluster() const
{
    const std::filesystem::path& directory = directory_.path();
    return {address_, static_cast<std::uint16_t>(std::stoul(content(directory / "port"))), "n1", directory / "token",
            directory / "ca.crt"};
}

void ApiServer::tell(const nlohmann::json& command) const
{
    const auto obeyed = [&] { return content(directory_.path() / "obeyed").size(); };
    const auto before = obeyed();
    std::ofstream commands(directory_.path() / "commands");
    commands << command.dump() + "\n" << std::flush;
    if (!commands)
        throw std::runtime_error("the API server doesn't listen to us");
    for (const auto end = std::chrono::steady_clock::now() + patience; obeyed() == before;) {
        if (std::chrono::steady_clock::now() > end)
            throw std::runtime_error("the API server doesn't do as it is told");
        std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
}

std::vector<std::string> ApiServer::requests() const
{
    return lines_of(content(directory_.path() / "requests"));
}

std::vector<nlohmann::json> ApiServer::events() const
{
    std::vector<nlohmann::json> events;
    for (const std::string& line : lines_of(content(directory_.path() / "events")))
        events.push_back(nlohmann::json::parse(line));
    return events;
}

void ApiServer::replace_token(const std::string& token) const
{
    std::ofstream(directory_.path() / "token.new") << token;
    std::filesystem::rename(directory_.path() / "token.new", directory_.path() / "token");
}

nlohmann::json api_pod(const std::string& uid, const std::string& version, bool ready)
{
    return {{"metadata", {{"uid", uid}, {"name", "pod-" + uid}, {"namespace", "ns"}, {"resourceVersion", version}}},
            {"status",
             {{"phase", "Running"},
              {"conditions", {{{"type", "Ready"}, {"status", ready ? "True" : "False"}}}},
              {"podIPs", {{{"ip", "10.0.0.7"}}}}}}};
}

nlohmann::json api_pod(const Pod& pod, const std::string& version, bool ready)
{
    nlohmann::json object = api_pod(pod.uid, version, ready);
    object["metadata"]["name"] = pod.spec().name;
    object["metadata"]["namespace"] = pod.spec().kubernetes_namespace;
    return object;
}

nlohmann::json ending(nlohmann::json object)
{
    constexpr int grace = 30;
    const std::time_t end = std::time(nullptr) + grace;
    char text[32];
    std::strftime(text, sizeof text, "%FT%TZ", std::gmtime(&end));
    object["metadata"]["deletionTimestamp"] = text;
    object["metadata"]["deletionGracePeriodSeconds"] = grace;
    return object;
}

}  // namespace sallyport::test
