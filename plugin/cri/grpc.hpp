// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// One gRPC call with one answer, over a connection of its own: HTTP/2 on a Unix socket. No streams, no compression, no
// retries.
#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <string>

namespace sallyport::grpc {

/// Largest answer that is taken, in bytes. It is gRPC's own usual limit for the lists of a kubelet.
inline constexpr std::size_t largest_answer = 16 << 20;

/// Sends `request`, a message in protobuf's form, to `method` (`/package.Service/Method`); returns the answer's bytes.
/// Throws Error as CriClient says, without naming the socket.
std::string call(const std::filesystem::path& socket, const std::string& method, const std::string& request,
                 std::chrono::milliseconds deadline);

}  // namespace sallyport::grpc
