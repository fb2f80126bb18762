// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A container runtime's other end of the socket: one that answers as the test says, and one that isn't any.
#pragma once

#include "sallyport/os/unique_fd.hpp"

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sallyport::test {

/// Sends what it has to everybody who connects, and looks at nothing.
class RawServer
{
public:
    enum class Then { close, hold, repeat };

    RawServer(std::string bytes, Then then);
    ~RawServer();

    const std::filesystem::path& socket() const { return path_; }

private:
    void serve() const;

    std::filesystem::path path_;
    std::string bytes_;
    Then then_;
    UniqueFd listener_;
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

/// What a call is answered with.
struct CriAnswer
{
    std::string message{};  ///< protobuf's bytes
    int status = 0;         ///< gRPC's
    std::string status_text{};
    std::string http_status = "200";
};

/// HTTP/2 and gRPC by nghttp2, one call at a time.
class CriServer
{
public:
    /// Is asked in the server's thread: `method` is the last part of the path.
    using Handler = std::function<CriAnswer(const std::string& method, const std::string& request)>;

    explicit CriServer(Handler handler);
    ~CriServer();

    const std::filesystem::path& socket() const { return path_; }

    /// Since the last time: the methods that were called.
    std::vector<std::string> take_calls();

private:
    void serve();

    std::filesystem::path path_;
    Handler handler_;
    UniqueFd listener_;
    std::mutex mutex_;
    std::vector<std::string> calls_;
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

// ---- CRI's messages, as a runtime writes them
// -------------------------------------------------------------------------

/// A pod as the runtime of a test knows it.
struct CriPod
{
    std::string id;
    std::string kubernetes_namespace;
    std::string name;
    std::map<std::string, std::string> annotations{};
    std::vector<std::string> addresses{};
    std::string info{};  ///< JSON, as a verbose status has it
    bool ready = true;
    bool host_network = false;
    std::int64_t created_at = 1;
};

std::string version_response(const std::string& name, const std::string& version);
std::string list_response(const std::vector<CriPod>& pods);
std::string status_response(const CriPod& pod);

/// The id that a PodSandboxStatusRequest asks for.
std::string asked_sandbox(const std::string& request);

/// What containerd and CRI-O say where a pod's network namespace is, among much else.
std::string info_with_netns(const std::string& path);

}  // namespace sallyport::test
