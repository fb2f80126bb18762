// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A container runtime's other end of the socket: one that answers as the test says, and one that isn't any.
#pragma once

#include "sallyport/os/unique_fd.hpp"
#include "support/temporary_directory.hpp"

#include <atomic>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
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

    TemporaryDirectory directory_;  // of its own: processes in namespaces of their own may have one pid
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

    TemporaryDirectory directory_;
    std::filesystem::path path_;
    Handler handler_;
    UniqueFd listener_;
    std::mutex mutex_;
    std::vector<std::string> calls_;
    std::atomic<bool> stop_{false};
    std::thread thread_;
};

}  // namespace sallyport::test
