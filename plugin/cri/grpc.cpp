// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// gRPC over HTTP/2, as its repository's doc/PROTOCOL-HTTP2.md has it.
#include "grpc.hpp"

#include "http2.hpp"

#include "sallyport/error.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>

namespace sallyport::grpc {
namespace {

/// Before each message: is it compressed, and its length, most significant byte first.
constexpr std::size_t prefix_size = 5;

/// Names of the status codes 0 to 16 (its doc/statuscodes.md).
constexpr std::array<std::string_view, 17> status_names = {
    "ok",        "cancelled",       "unknown",           "invalid argument",   "deadline exceeded",
    "not found", "already exists",  "permission denied", "resource exhausted", "failed precondition",
    "aborted",   "out of range",    "unimplemented",     "internal",           "unavailable",
    "data loss", "unauthenticated",
};

enum Status : unsigned { ok = 0, deadline_exceeded = 4, not_found = 5, unimplemented = 12, unavailable = 14 };

constexpr std::string_view no_cri = "; does `--cri-socket` name the container runtime's, and is CRI enabled there "
                                    "(`disabled_plugins` in containerd's config.toml)?";

std::string framed(const std::string& message)
{
    const auto size = static_cast<std::uint32_t>(message.size());
    std::string frame{'\0'};
    for (const unsigned shift : {24U, 16U, 8U, 0U})
        frame += static_cast<char>(size >> shift & 0xff);
    return frame + message;
}

std::string unframed(const std::string& body)
{
    if (body.size() < prefix_size)
        throw Error(Code::io_failure, "the answer ends before its message" + std::string(no_cri));
    std::uint32_t size = 0;
    for (std::size_t i = 1; i < prefix_size; i++)
        size = size << 8 | static_cast<unsigned char>(body[i]);
    if (body[0] != 0)
        throw Error(Code::io_failure, "the answer is compressed, though nobody offered to read that");
    if (size != body.size() - prefix_size)
        throw Error(Code::io_failure, "the answer says that its message has " + std::to_string(size) +
                                          " bytes, and brings " + std::to_string(body.size() - prefix_size));
    return body.substr(prefix_size);
}

int hex_digit(char c)
{
    int value = -1;
    std::from_chars(&c, &c + 1, value, 16);
    return value;
}

/// `grpc-message` has its bytes percent-encoded.
std::string decoded(std::string_view text)
{
    std::string plain;
    for (std::size_t i = 0; i < text.size(); i++) {
        const bool whole = text[i] == '%' && i + 2 < text.size();
        const int high = whole ? hex_digit(text[i + 1]) : -1;
        const int low = whole ? hex_digit(text[i + 2]) : -1;
        const bool encoded = high >= 0 && low >= 0;
        plain += encoded ? static_cast<char>(high * 16 + low) : text[i];
        i += encoded ? 2 : 0;
    }
    return plain;
}

/// A runtime's message is long: it has an id in it, and what the plugins of a chain have said.
std::string on_one_line(std::string text)
{
    constexpr std::size_t longest_message = 1000;
    if (text.size() > longest_message)
        text = text.substr(0, longest_message) + "...";
    std::ranges::replace_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
    return text;
}

Code code_of(unsigned status)
{
    if (status == not_found)
        return Code::unknown_container;
    return status == deadline_exceeded || status == unavailable ? Code::try_again_later : Code::io_failure;
}

void refuse_status(const http2::Response& response)
{
    const auto field = response.headers.find("grpc-status");
    if (field == response.headers.end())
        throw Error(Code::io_failure, "the answer has no gRPC status" + std::string(no_cri));
    unsigned status = 0;
    const char* const end = field->second.data() + field->second.size();
    if (const auto [rest, error] = std::from_chars(field->second.data(), end, status);
        error != std::errc{} || rest != end)
        throw Error(Code::io_failure, "the answer's gRPC status is " + in_quotes(field->second) + std::string(no_cri));
    if (status == ok)
        return;
    const auto message = response.headers.find("grpc-message");
    throw Error(code_of(status),
                "gRPC status " + std::to_string(status) +
                    (status < status_names.size() ? " (" + std::string(status_names[status]) + ")" : "") +
                    (message == response.headers.end() ? "" : ": " + on_one_line(decoded(message->second))) +
                    (status == unimplemented ? std::string(no_cri) : "; the runtime's own log says more"));
}

}  // namespace

std::string call(const std::filesystem::path& socket, const std::string& method, const std::string& request,
                 std::chrono::milliseconds deadline)
{
    const http2::Request http{
        .headers = {{":method", "POST"},
                    {":scheme", "http"},
                    {":path", method},
                    {":authority", "localhost"},
                    {"te", "trailers"},
                    {"content-type", "application/grpc"},
                    {"user-agent", "sallyport"},
                    {"grpc-timeout", std::to_string(deadline.count()) + "m"}},
        .body = framed(request),
        .largest_response = largest_answer + prefix_size,
    };
    const http2::Response response = http2::exchange(socket, http, deadline);

    const auto status = response.headers.find(":status");
    if (status == response.headers.end() || status->second != "200")
        throw Error(Code::io_failure, "HTTP status " +
                                          in_quotes(status == response.headers.end() ? "" : status->second) +
                                          std::string(no_cri));
    refuse_status(response);
    return unframed(response.body);
}

}  // namespace sallyport::grpc
