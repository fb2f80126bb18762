// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "http.hpp"

#include "sallyport/log.hpp"

#include <httplib.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

namespace sallyport::web {

namespace {

/// A request that has arrived, and the place for its answer.
class Memory final : public httplib::Stream
{
public:
    explicit Memory(std::string request) : request_(std::move(request)) {}

    bool is_readable() const override { return read_ < request_.size(); }
    bool is_writable() const override { return true; }

    ssize_t read(char* to, std::size_t size) override
    {
        const std::size_t count = std::min(size, request_.size() - read_);
        std::memcpy(to, request_.data() + read_, count);
        read_ += count;
        return static_cast<ssize_t>(count);
    }

    ssize_t write(const char* from, std::size_t size) override
    {
        answer_.append(from, size);
        return static_cast<ssize_t>(size);
    }

    void get_remote_ip_and_port(std::string&, int&) const override {}
    void get_local_ip_and_port(std::string&, int&) const override {}
    socket_t socket() const override { return INVALID_SOCKET; }

    std::string take_answer() { return std::move(answer_); }

private:
    std::string request_;
    std::size_t read_ = 0;
    std::string answer_;
};

/// The page loads its own two files and asks for its own JSON, and nobody may put it into a frame.
constexpr const char* content_security = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                                         "connect-src 'self'; base-uri 'none'; form-action 'none'; "
                                         "frame-ancestors 'none'";

std::string words_for(int status)
{
    return std::to_string(status) + " " + httplib::detail::status_message(status) + "\n";
}

bool is_read(const httplib::Request& request)
{
    return request.method == "GET" || request.method == "HEAD";
}

}  // namespace

class Http::Server final : private httplib::Server
{
public:
    explicit Server(std::function<Reply(const std::string&)> get)
    {
        // Before httplib's own routing: that matches the path with std::regex, whose recursion is as deep as the path.
        set_pre_routing_handler([this, get = std::move(get)](const auto& request, auto& response) {
            reply_ = is_read(request) ? get(request.path) : reply(405, words_for(405));
            response.status = reply_.status;
            return HandlerResponse::Handled;
        });
        set_exception_handler([this](const auto&, auto& response, const std::exception_ptr& exception) {
            reply_ = reply(500, words_for(500));
            response.status = 500;
            log(exception);
        });
        set_post_routing_handler([this](const auto& request, auto& response) { complete(request, response); });
    }

    Message answer(std::string_view head)
    {
        // No field of the head matters to what we serve, and httplib reads some with std::regex (Range). Only the
        // first line goes in.
        const std::size_t end = head.find("\r\n");
        Memory memory(std::string(head.substr(0, end)) + (end == std::string_view::npos ? "" : "\r\n\r\n"));
        reply_ = {};
        bool closed = false;
        process_request(memory, true, closed, nullptr);
        return {memory.take_answer(), std::exchange(reply_.body, nullptr)};
    }

private:
    static void log(const std::exception_ptr& exception)
    {
        try {
            std::rethrow_exception(exception);
        } catch (const std::exception& error) {
            log_warning(std::string("answer a request over HTTP: ") + error.what());
        }
    }

    /// Is called for every answer, those that httplib makes itself among them. The body stays with us: httplib would
    /// copy it for each client.
    void complete(const httplib::Request& request, httplib::Response& response)
    {
        if (!reply_.body)
            reply_ = reply(response.status, words_for(response.status));
        response.headers.erase("Accept-Ranges");
        response.headers.erase("Content-Length");
        response.set_header("Content-Length", std::to_string(reply_.body->size()));
        response.set_header("Content-Type", reply_.type);
        response.set_header("Cache-Control", "no-store");
        response.set_header("Content-Security-Policy", content_security);
        response.set_header("Cross-Origin-Resource-Policy", "same-origin");
        response.set_header("Referrer-Policy", "no-referrer");
        response.set_header("X-Content-Type-Options", "nosniff");
        if (response.status == 405)
            response.set_header("Allow", "GET, HEAD");
        if (request.method == "HEAD")
            reply_.body = nullptr;
    }

    Reply reply_;  ///< to the request at hand
};

Http::Http(std::function<Reply(const std::string&)> get) : server_(std::make_unique<Server>(std::move(get))) {}
Http::~Http() = default;

Message Http::answer(std::string_view head)
{
    return server_->answer(head);
}

Message Http::too_long()
{
    return {"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", nullptr};
}

}  // namespace sallyport::web
