// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// One HTTP/2 request and its response, over a Unix socket that is connected for it and closed after it. Trusts nothing
// that arrives: time, bytes and headers are bounded.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace sallyport::http2 {

struct Request
{
    std::vector<std::pair<std::string, std::string>> headers;  ///< `:method` and its like first
    std::string body;
    std::size_t largest_response = 0;  ///< bytes of the response's body that are taken
};

struct Response
{
    std::map<std::string, std::string> headers;  ///< trailers among them; of equal names the last
    std::string body;
};

/// Throws Error: try_again_later where nobody can be reached, or the response isn't complete by the deadline, and
/// io_failure where it breaks a rule or a bound.
Response exchange(const std::filesystem::path& socket, const Request& request, std::chrono::milliseconds deadline);

}  // namespace sallyport::http2
