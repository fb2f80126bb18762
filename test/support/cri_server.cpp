// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/cri_server.hpp"

#include <nghttp2/nghttp2.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

namespace sallyport::test {
namespace {

UniqueFd listen_at(const std::filesystem::path& path)
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd || bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(fd.get(), 16) != 0)
        throw std::system_error(errno, std::generic_category(), "listen at " + path.string());
    return fd;
}

bool readable(int fd)
{
    pollfd event{fd, POLLIN, 0};
    return poll(&event, 1, 2) == 1;  // and then the server looks whether it is to stop
}

/// The next who connects; none while nobody does.
UniqueFd accept_one(int listener)
{
    return UniqueFd(readable(listener) ? accept4(listener, nullptr, nullptr, SOCK_CLOEXEC) : -1);
}

/// A server's side of one connection.
class Conversation
{
public:
    Conversation(int fd, const CriServer::Handler& handler) : fd_(fd), handler_(handler)
    {
        nghttp2_session_callbacks* callbacks = nullptr;
        nghttp2_session_callbacks_new(&callbacks);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, take_header);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, take_data);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, take_frame);
        nghttp2_session_server_new(&session_, callbacks, this);
        nghttp2_session_callbacks_del(callbacks);
        nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
    }
    Conversation(const Conversation&) = delete;
    Conversation& operator=(const Conversation&) = delete;
    ~Conversation() { nghttp2_session_del(session_); }

    /// Until the other side goes, or `stop`.
    void run(const std::atomic<bool>& stop)
    {
        std::array<std::uint8_t, 16384> buffer{};
        while (!stop) {
            const std::uint8_t* data = nullptr;
            for (ssize_t size = 0; (size = nghttp2_session_mem_send(session_, &data)) > 0;)
                if (::send(fd_, data, static_cast<std::size_t>(size), MSG_NOSIGNAL) != size)
                    return;
            if (!readable(fd_))
                continue;
            const ssize_t size = ::recv(fd_, buffer.data(), buffer.size(), 0);
            if (size <= 0 || nghttp2_session_mem_recv(session_, buffer.data(), static_cast<std::size_t>(size)) < 0)
                return;
        }
    }

private:
    static Conversation& self(void* user) { return *static_cast<Conversation*>(user); }

    static int take_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name, std::size_t name_length,
                           const std::uint8_t* value, std::size_t value_length, std::uint8_t, void* user)
    {
        if (std::string(reinterpret_cast<const char*>(name), name_length) == ":path")
            self(user).path_.assign(reinterpret_cast<const char*>(value), value_length);
        return 0;
    }

    static int take_data(nghttp2_session*, std::uint8_t, std::int32_t, const std::uint8_t* data, std::size_t length,
                         void* user)
    {
        self(user).request_.append(reinterpret_cast<const char*>(data), length);
        return 0;
    }

    static int take_frame(nghttp2_session*, const nghttp2_frame* frame, void* user)
    {
        if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 && frame->hd.stream_id != 0)
            self(user).answer(frame->hd.stream_id);
        return 0;
    }

    static ssize_t give(nghttp2_session* session, std::int32_t stream, std::uint8_t* buffer, std::size_t length,
                        std::uint32_t* flags, nghttp2_data_source*, void* user)
    {
        Conversation& conversation = self(user);
        const std::size_t size = conversation.body_.copy(reinterpret_cast<char*>(buffer), length, conversation.given_);
        conversation.given_ += size;
        if (conversation.given_ == conversation.body_.size()) {
            *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
            const std::string status = std::to_string(conversation.answer_.status);
            const std::array trailers{field("grpc-status", status),
                                      field("grpc-message", conversation.answer_.status_text)};
            nghttp2_submit_trailer(session, stream, trailers.data(), trailers.size());
        }
        return static_cast<ssize_t>(size);
    }

    static nghttp2_nv field(const char* name, const std::string& value)
    {
        return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name)),
                reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), std::strlen(name), value.size(),
                NGHTTP2_NV_FLAG_NONE};
    }

    void answer(std::int32_t stream)
    {
        answer_ =
            handler_(path_.substr(path_.rfind('/') + 1), request_.substr(std::min<std::size_t>(5, request_.size())));
        const auto size = static_cast<std::uint32_t>(answer_.message.size());
        body_ = {'\0', static_cast<char>(size >> 24), static_cast<char>(size >> 16), static_cast<char>(size >> 8),
                 static_cast<char>(size)};
        body_ += answer_.message;
        const std::string content_type = "application/grpc";
        const std::array headers{field(":status", answer_.http_status), field("content-type", content_type)};
        nghttp2_data_provider provider{};
        provider.read_callback = give;
        nghttp2_submit_response(session_, stream, headers.data(), headers.size(), &provider);
    }

    int fd_;
    const CriServer::Handler& handler_;
    nghttp2_session* session_ = nullptr;
    std::string path_;
    std::string request_;
    CriAnswer answer_;
    std::string body_;
    std::size_t given_ = 0;
};

}  // namespace

RawServer::RawServer(std::string bytes, Then then)
    : path_(directory_.path() / "cri.sock"),
      bytes_(std::move(bytes)),
      then_(then),
      listener_(listen_at(path_)),
      thread_([this] { serve(); })
{}

RawServer::~RawServer()
{
    stop_ = true;
    thread_.join();
}

void RawServer::serve() const
{
    while (!stop_) {
        const UniqueFd client = accept_one(listener_.get());
        if (!client)
            continue;
        bool open = true;
        do {
            for (std::size_t sent = 0; open && sent < bytes_.size() && !stop_;) {
                const ssize_t size =
                    ::send(client.get(), bytes_.data() + sent, bytes_.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
                open = size > 0 || errno == EAGAIN;
                sent += size > 0 ? static_cast<std::size_t>(size) : 0;
            }
        } while (then_ == Then::repeat && open && !stop_);
        if (then_ == Then::close)
            shutdown(client.get(), SHUT_WR);
        // What the client has to say is read, or closing would take back what it hasn't read yet.
        std::array<char, 4096> buffer{};
        while (open && !stop_)
            if (readable(client.get()) && ::recv(client.get(), buffer.data(), buffer.size(), 0) <= 0)
                open = false;
    }
}

CriServer::CriServer(Handler handler)
    : path_(directory_.path() / "cri.sock"),
      handler_(std::move(handler)),
      listener_(listen_at(path_)),
      thread_([this] { serve(); })
{}

CriServer::~CriServer()
{
    stop_ = true;
    thread_.join();
}

void CriServer::serve()
{
    const Handler noted = [this](const std::string& method, const std::string& request) {
        {
            const std::lock_guard guard(mutex_);
            calls_.push_back(method);
        }
        return handler_(method, request);
    };
    while (!stop_)
        if (const UniqueFd client = accept_one(listener_.get()))
            Conversation(client.get(), noted).run(stop_);
}

std::vector<std::string> CriServer::take_calls()
{
    const std::lock_guard guard(mutex_);
    return std::exchange(calls_, {});
}

}  // namespace sallyport::test
