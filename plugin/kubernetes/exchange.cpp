// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "exchange.hpp"

#include "tls.hpp"

#include "sallyport/error.hpp"
#include "sallyport/exposure.hpp"

#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <limits>
#include <utility>

namespace sallyport::kubernetes {

namespace {

namespace http = boost::beast::http;

constexpr std::size_t buffer_size = 16'384;
constexpr std::uint32_t max_head = 65'536;
constexpr std::size_t max_file = 1'048'576;

std::string read_file(const std::filesystem::path& path)
{
    std::ifstream file(path, std::ios::binary);
    std::string text(max_file, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
    if (text.empty())
        throw Error(Code::io_failure, "read " + path.string() + ": it isn't there, or empty");
    return text;
}

/// Goes into a field of the request: whatever could end that isn't a token.
std::string read_token(const std::filesystem::path& path)
{
    std::string token = read_file(path);
    while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' '))
        token.pop_back();
    if (token.empty() || std::ranges::any_of(token, [](char character) { return character <= ' ' || character > '~'; }))
        throw Error(Code::io_failure, "read " + path.string() + ": that is no token");
    return token;
}

std::string request_for(const Cluster& cluster, const Address& address, const Ask& ask)
{
    const std::string content =
        ask.body.empty() ? ""
                         : "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(ask.body.size());
    return (ask.body.empty() ? "GET " : "POST ") + ask.target + " HTTP/1.1\r\nHost: " + bracketed(address) + ":" +
           std::to_string(cluster.port) + "\r\nAuthorization: Bearer " + read_token(cluster.token) +
           "\r\nAccept: application/json\r\nUser-Agent: sallyport\r\nConnection: close" + content + "\r\n\r\n" +
           ask.body;
}

}  // namespace

struct Exchange::State
{
    State(const Cluster& cluster, const Address& address, const Patience& patience_)
        : patience(patience_),
          tls(connect_to(address, cluster.port, patience), read_file(cluster.authorities), cluster.host, patience)
    {
        parser.header_limit(max_head);
        parser.body_limit(std::numeric_limits<std::uint64_t>::max());  // who reads it has limits of his own
    }

    /// False at the end, which the answer may be at too.
    bool receive()
    {
        std::array<char, buffer_size> bytes;
        if (pending.size() > max_head)
            throw Error(Code::decoding_failure, "what answers doesn't speak HTTP/1.1");
        const std::size_t count = tls.read(bytes, patience);
        pending.append(bytes.data(), count);
        return count > 0;
    }

    /// Gives the parser what there is. True where it took something.
    bool parse()
    {
        boost::system::error_code error;
        const std::size_t taken = pending.empty() ? 0 : parser.put({pending.data(), pending.size()}, error);
        pending.erase(0, taken);
        if (error && error != http::error::need_more && error != http::error::need_buffer)
            throw Error(Code::decoding_failure, "what answers doesn't speak HTTP/1.1: " + error.message());
        return taken > 0;
    }

    /// The connection has ended.
    void finish()
    {
        boost::system::error_code error;
        if (parser.got_some())
            parser.put_eof(error);
        if (error || !parser.is_done())
            throw Error(Code::io_failure, "the answer ended in the middle");
    }

    Patience patience;
    Tls tls;
    http::response_parser<http::buffer_body> parser;
    std::string pending;  ///< received, and not parsed yet
    std::array<char, buffer_size> part;
};

Exchange::Exchange(const Cluster& cluster, const Ask& ask, const Patience& patience)
{
    const auto address = Address::parse(cluster.host);
    if (!address)
        throw Error(Code::invalid_environment, in_quotes(cluster.host) + " is no IP address");
    state_ = std::make_unique<State>(cluster, *address, patience);
    state_->tls.write(request_for(cluster, *address, ask), patience);
    while (!state_->parser.is_header_done())
        if (!state_->parse() && !state_->parser.is_header_done() && !state_->receive())
            throw Error(Code::io_failure, "the connection ended before an answer");
}

Exchange::~Exchange() = default;

unsigned Exchange::status() const
{
    return state_->parser.get().result_int();
}

std::chrono::seconds Exchange::retry_after() const
{
    const auto text = state_->parser.get()[http::field::retry_after];
    unsigned seconds = 0;
    std::from_chars(text.data(), text.data() + text.size(), seconds);
    return std::chrono::seconds(seconds);
}

void Exchange::wait_until(Instant until)
{
    state_->patience.until = until;
}

Exchange::int_type Exchange::underflow()
{
    if (gptr() != egptr())
        return traits_type::to_int_type(*gptr());
    auto& body = state_->parser.get().body();
    while (!state_->parser.is_done()) {
        body.data = state_->part.data();
        body.size = state_->part.size();
        body.more = true;
        const bool took = state_->parse();
        const std::size_t size = state_->part.size() - body.size;
        if (size > 0) {
            setg(state_->part.data(), state_->part.data(), state_->part.data() + size);
            return traits_type::to_int_type(*gptr());
        }
        if (!took && !state_->parser.is_done() && !state_->receive())
            state_->finish();
    }
    return traits_type::eof();
}

}  // namespace sallyport::kubernetes
