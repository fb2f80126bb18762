// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "http.hpp"

#include "sallyport/log.hpp"

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/status.hpp>

#include <charconv>
#include <cstdint>
#include <exception>
#include <initializer_list>
#include <limits>
#include <optional>
#include <utility>

namespace sallyport::web {

namespace {

namespace http = boost::beast::http;

using Parser = http::request_parser<http::empty_body>;

constexpr std::size_t max_target = 8192;

/// The page loads its own two files and asks for its own JSON, and nobody may put it into a frame.
constexpr std::string_view content_security = "default-src 'none'; script-src 'self'; style-src 'self'; "
                                              "img-src 'self'; connect-src 'self'; base-uri 'none'; "
                                              "form-action 'none'; frame-ancestors 'none'";

/// "404 Not Found"
std::string words_for(int status)
{
    const auto reason = http::obsolete_reason(http::int_to_status(static_cast<unsigned>(status)));
    return std::to_string(status) + " " + std::string(reason.data(), reason.size());
}

Reply refusal(int status)
{
    return reply(status, words_for(status) + "\n");
}

Message message(const Reply& reply, bool with_body)
{
    std::string head = "HTTP/1.1 " + words_for(reply.status) + "\r\n";
    const auto field = [&head](std::string_view name, std::string_view value) {
        for (const std::string_view part : {name, std::string_view(": "), value, std::string_view("\r\n")})
            head += part;
    };
    field("Connection", "close");
    field("Content-Length", std::to_string(reply.body->size()));
    field("Content-Type", reply.type);
    field("Cache-Control", "no-store");
    field("Content-Security-Policy", content_security);
    field("Cross-Origin-Resource-Policy", "same-origin");
    field("Referrer-Policy", "no-referrer");
    field("X-Content-Type-Options", "nosniff");
    if (reply.status == 405)
        field("Allow", "GET, HEAD");
    return {head + "\r\n", with_body ? reply.body : nullptr};
}

/// What a request asks for, without query and fragment, percent-decoded; nullopt where a `%` begins no byte.
std::optional<std::string> path_of(std::string_view target)
{
    const std::string_view encoded = target.substr(0, target.find_first_of("?#"));
    std::string path;
    for (std::size_t at = 0; at < encoded.size(); at++) {
        if (encoded[at] != '%') {
            path += encoded[at];
            continue;
        }
        const std::string_view digits = encoded.substr(at + 1, 2);
        std::uint8_t byte = 0;
        const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16).ptr;
        if (digits.size() != 2 || end != digits.data() + 2)
            return std::nullopt;
        path += static_cast<char>(byte);
        at += 2;
    }
    return path;
}

std::string query_of(std::string_view target)
{
    target = target.substr(0, target.find('#'));
    const std::size_t mark = target.find('?');
    return mark == std::string_view::npos ? "" : std::string(target.substr(mark + 1));
}

/// False for what isn't a complete head of HTTP/1.0 or 1.1.
bool parse(Parser& parser, std::string_view head)
{
    parser.header_limit(std::numeric_limits<std::uint32_t>::max());  // whoever read it has set its limit
    parser.body_limit(std::numeric_limits<std::uint64_t>::max());    // nobody reads it
    boost::system::error_code error;
    parser.put({head.data(), head.size()}, error);
    return !error && parser.is_header_done() && parser.get().method() != http::verb::unknown;
}

}  // namespace

Http::Http(std::function<Reply(const Asked&)> get) : get_(std::move(get)) {}

Message Http::answer(std::string_view head, Family family) const noexcept
{
    bool with_body = true;
    try {
        Parser parser;
        if (!parse(parser, head))
            return message(refusal(400), true);
        with_body = parser.get().method() != http::verb::head;
        if (with_body && parser.get().method() != http::verb::get)
            return message(refusal(405), true);
        const auto target = parser.get().target();
        if (target.size() > max_target)
            return message(refusal(414), with_body);
        const std::string_view wanted(target.data(), target.size());
        const auto path = path_of(wanted);
        return message(path ? get_({*path, query_of(wanted), family}) : refusal(400), with_body);
    } catch (const std::exception& error) {
        log_warning(std::string("answer a request over HTTP: ") + error.what());
        return message(refusal(500), with_body);
    }
}

Message Http::too_long()
{
    return message(refusal(431), true);
}

}  // namespace sallyport::web
