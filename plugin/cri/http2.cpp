// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "http2.hpp"

#include "sallyport/error.hpp"
#include "sallyport/os/unique_fd.hpp"

#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <thread>

namespace sallyport::http2 {
namespace {

using namespace std::chrono_literals;
using Steady = std::chrono::steady_clock;

/// Frames have heads, and responses headers: what may arrive beside the body, in bytes.
constexpr std::size_t most_overhead = 1 << 20;
constexpr std::size_t most_headers = 64;
constexpr std::int32_t window = 1 << 20;

constexpr std::string_view runtime_down = "; does the container runtime run, and does `--cri-socket` name its socket?";

struct Release
{
    void operator()(nghttp2_session* session) const noexcept { nghttp2_session_del(session); }
    void operator()(nghttp2_session_callbacks* callbacks) const noexcept { nghttp2_session_callbacks_del(callbacks); }
    void operator()(nghttp2_option* option) const noexcept { nghttp2_option_del(option); }
};
using Session = std::unique_ptr<nghttp2_session, Release>;

/// The end of an exchange, for all its steps.
class Deadline
{
public:
    explicit Deadline(std::chrono::milliseconds limit) : limit_(limit), end_(Steady::now() + limit) {}

    /// Throws where there is no time left.
    std::chrono::milliseconds left() const
    {
        const auto rest = std::chrono::ceil<std::chrono::milliseconds>(end_ - Steady::now());
        if (rest <= 0ms)
            throw Error(Code::try_again_later, "no answer within " + std::to_string(limit_.count()) +
                                                   " ms; the container runtime may be overloaded, or hang: `crictl "
                                                   "info` shows whether it answers others");
        return rest;
    }

private:
    std::chrono::milliseconds limit_;
    Steady::time_point end_;
};

UniqueFd connect_to(const std::filesystem::path& path, const Deadline& deadline)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.native().size() >= sizeof address.sun_path)
        throw Error(Code::io_failure, "the socket's path is longer than the " +
                                          std::to_string(sizeof address.sun_path - 1) + " bytes that one can have");
    std::memcpy(address.sun_path, path.c_str(), path.native().size());

    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd)
        throw Error(Code::try_again_later, "make a socket: " + errno_text(errno));
    while (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        if (errno != EAGAIN && errno != EINTR)
            throw Error(Code::try_again_later, "connect: " + errno_text(errno) + std::string(runtime_down));
        std::this_thread::sleep_for(
            std::min(deadline.left(), 10ms));  // its queue is full; poll() doesn't wait for that
    }
    return fd;
}

class Exchange
{
public:
    Exchange(const std::filesystem::path& path, const Request& request, const Deadline& deadline)
        : request_(request),
          deadline_(deadline),
          session_(make_session()),
          fd_(connect_to(path, deadline))
    {
        const std::array settings{nghttp2_settings_entry{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                  nghttp2_settings_entry{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, window}};
        must(nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, settings.data(), settings.size()));
        must(nghttp2_session_set_local_window_size(session_.get(), NGHTTP2_FLAG_NONE, 0, window));

        std::vector<nghttp2_nv> fields;
        for (const auto& [name, value] : request.headers)
            fields.push_back({bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
        nghttp2_data_provider provider{};
        provider.read_callback = give_body;
        must(nghttp2_submit_request(session_.get(), nullptr, fields.data(), fields.size(), &provider, nullptr));
    }

    Response finish()
    {
        while (!closed_) {
            send();
            if (!closed_ && pending_.empty() && nghttp2_session_want_read(session_.get()) == 0)
                throw Error(Code::io_failure, "the conversation ended without an answer");
            wait();
            receive();
        }
        if (error_ != NGHTTP2_NO_ERROR)
            throw Error(Code::io_failure, std::string("the answer was broken off: ") + nghttp2_http2_strerror(error_));
        return std::move(response_);
    }

private:
    static std::uint8_t* bytes(const std::string& text)
    {
        return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));  // nghttp2 copies
    }

    void must(int result) const
    {
        if (result == NGHTTP2_ERR_NOMEM)
            throw std::bad_alloc();
        if (!refusal_.empty())
            throw Error(Code::io_failure, refusal_);
        if (result < 0)
            throw Error(Code::io_failure, std::string("no HTTP/2 as it should be: ") + nghttp2_strerror(result) +
                                              "; does `--cri-socket` name the container runtime's?");
    }

    Session make_session()
    {
        nghttp2_session_callbacks* made = nullptr;
        if (nghttp2_session_callbacks_new(&made) != 0)
            throw std::bad_alloc();
        const std::unique_ptr<nghttp2_session_callbacks, Release> callbacks(made);
        nghttp2_session_callbacks_set_on_header_callback(made, take_header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, take_data);
        nghttp2_session_callbacks_set_on_stream_close_callback(made, take_close);
        nghttp2_session* session = nullptr;
        if (nghttp2_session_client_new(&session, made, this) != 0)
            throw std::bad_alloc();
        return Session(session);
    }

    /// Hands on what the session has to say, as far as the socket takes it.
    void send()
    {
        for (;;) {
            if (pending_.empty()) {
                const std::uint8_t* data = nullptr;
                const ssize_t size = nghttp2_session_mem_send(session_.get(), &data);
                must(static_cast<int>(std::min<ssize_t>(size, 0)));
                if (size == 0)
                    return;
                pending_.assign(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
            }
            const ssize_t sent = ::send(fd_.get(), pending_.data(), pending_.size(), MSG_NOSIGNAL);
            if (sent < 0 && (errno == EAGAIN || errno == EINTR))
                return;
            if (sent < 0)
                throw Error(Code::try_again_later, "send: " + errno_text(errno) + std::string(runtime_down));
            pending_.erase(0, static_cast<std::size_t>(sent));
        }
    }

    void wait() const
    {
        pollfd event{fd_.get(), static_cast<short>(pending_.empty() ? POLLIN : POLLIN | POLLOUT), 0};
        if (::poll(&event, 1, static_cast<int>(deadline_.left().count())) < 0 && errno != EINTR)
            throw Error(Code::try_again_later, "wait for an answer: " + errno_text(errno));
    }

    void receive()
    {
        std::array<std::uint8_t, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
        const ssize_t size = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
        if (size < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (size < 0)
            throw Error(Code::try_again_later, "receive: " + errno_text(errno) + std::string(runtime_down));
        if (size == 0)
            throw Error(Code::try_again_later,
                        "the server closed the connection before its answer was complete" + std::string(runtime_down));
        received_ += static_cast<std::size_t>(size);
        if (received_ > request_.largest_response + most_overhead)
            throw Error(Code::io_failure, "more than " + std::to_string(received_) + " bytes came without an end");
        const ssize_t taken = nghttp2_session_mem_recv(session_.get(), buffer.data(), static_cast<std::size_t>(size));
        must(static_cast<int>(std::min<ssize_t>(taken, 0)));
    }

    static Exchange& self(void* user) { return *static_cast<Exchange*>(user); }

    static ssize_t give_body(nghttp2_session* /*session*/, std::int32_t /*stream*/, std::uint8_t* buffer,
                             std::size_t length, std::uint32_t* flags, nghttp2_data_source* /*source*/,
                             void* user) noexcept
    {
        Exchange& exchange = self(user);
        const std::size_t size = exchange.request_.body.copy(reinterpret_cast<char*>(buffer), length, exchange.given_);
        exchange.given_ += size;
        if (exchange.given_ == exchange.request_.body.size())
            *flags |= NGHTTP2_DATA_FLAG_EOF;
        return static_cast<ssize_t>(size);
    }

    static int take_header(nghttp2_session* /*session*/, const nghttp2_frame* /*frame*/, const std::uint8_t* name,
                           std::size_t name_length, const std::uint8_t* value, std::size_t value_length,
                           std::uint8_t /*flags*/, void* user) noexcept
    {
        Exchange& exchange = self(user);
        auto& headers = exchange.response_.headers;
        headers[{reinterpret_cast<const char*>(name), name_length}].assign(reinterpret_cast<const char*>(value),
                                                                           value_length);
        if (headers.size() <= most_headers)
            return 0;
        exchange.refusal_ = "the answer has more than " + std::to_string(most_headers) + " headers";
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }

    static int take_data(nghttp2_session* /*session*/, std::uint8_t /*flags*/, std::int32_t /*stream*/,
                         const std::uint8_t* data, std::size_t length, void* user) noexcept
    {
        Exchange& exchange = self(user);
        std::string& body = exchange.response_.body;
        if (length <= exchange.request_.largest_response - body.size()) {
            body.append(reinterpret_cast<const char*>(data), length);
            return 0;
        }
        exchange.refusal_ = "the answer is larger than the " + std::to_string(exchange.request_.largest_response) +
                            " bytes that are taken";
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }

    static int take_close(nghttp2_session* /*session*/, std::int32_t /*stream*/, std::uint32_t error,
                          void* user) noexcept
    {
        self(user).closed_ = true;
        self(user).error_ = error;
        return 0;
    }

    const Request& request_;
    const Deadline& deadline_;
    Session session_;
    UniqueFd fd_;
    Response response_;
    std::string pending_;  ///< from the session, and not yet taken by the socket
    std::string refusal_;  ///< why a callback gave up
    std::size_t given_ = 0;
    std::size_t received_ = 0;
    bool closed_ = false;
    std::uint32_t error_ = 0;
};

}  // namespace

Response exchange(const std::filesystem::path& socket, const Request& request, std::chrono::milliseconds deadline)
{
    const Deadline end(deadline);
    return Exchange(socket, request, end).finish();
}

}  // namespace sallyport::http2
