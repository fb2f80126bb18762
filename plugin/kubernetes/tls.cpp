// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "tls.hpp"

#include "sallyport/error.hpp"

#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace sallyport::kubernetes {

namespace {

std::string words_for(int error)
{
    std::array<char, 256> text{};
    mbedtls_strerror(error, text.data(), text.size());
    return text.data();
}

void check(int result, const char* action)
{
    if (result != 0)
        throw Error(Code::io_failure, action + (": " + words_for(result)));
}

// The library calls these three; they must not throw.

int random_bytes(void*, unsigned char* to, std::size_t size) noexcept
{
    return psa_generate_random(to, size) == PSA_SUCCESS ? 0 : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

int send_some(void* connection, const unsigned char* from, std::size_t size) noexcept
{
    const ssize_t sent = ::send(static_cast<const UniqueFd*>(connection)->get(), from, size, MSG_NOSIGNAL);
    if (sent >= 0)
        return static_cast<int>(sent);
    return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_NET_SEND_FAILED;
}

int receive_some(void* connection, unsigned char* to, std::size_t size) noexcept
{
    const ssize_t received = ::recv(static_cast<const UniqueFd*>(connection)->get(), to, size, 0);
    if (received >= 0)
        return static_cast<int>(received);
    if (errno == EAGAIN || errno == EINTR)
        return MBEDTLS_ERR_SSL_WANT_READ;
    return errno == ECONNRESET ? MBEDTLS_ERR_NET_CONN_RESET : MBEDTLS_ERR_NET_RECV_FAILED;
}

/// "its certificate isn't for 10.96.0.1, ..."
std::string what_is_wrong(std::uint32_t flags)
{
    std::array<char, 512> text{};
    mbedtls_x509_crt_verify_info(text.data(), text.size(), "", flags);
    std::string words = text.data();  // a line for each
    for (char& character : words)
        character = character == '\n' ? ' ' : character;
    while (words.ends_with(' '))
        words.pop_back();
    return words;
}

}  // namespace

struct Tls::Session
{
    explicit Session(UniqueFd socket) : connection(std::move(socket))
    {
        mbedtls_x509_crt_init(&authorities);
        mbedtls_ssl_config_init(&config);
        mbedtls_ssl_init(&context);
    }

    ~Session()
    {
        mbedtls_ssl_free(&context);
        mbedtls_ssl_config_free(&config);
        mbedtls_x509_crt_free(&authorities);
    }

    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    void prepare(const std::string& pem, const std::string& server)
    {
        check(psa_crypto_init(), "start the cryptographic library");
        // With its final zero, which tells the library that it is PEM.
        const int unread =
            mbedtls_x509_crt_parse(&authorities, reinterpret_cast<const unsigned char*>(pem.c_str()), pem.size() + 1);
        if (unread != 0)  // how many, or why none
            throw Error(Code::io_failure, "the cluster's certificate authorities can't be read" +
                                              (unread < 0 ? ": " + words_for(unread) : std::string()));
        check(mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                          MBEDTLS_SSL_PRESET_DEFAULT),
              "prepare TLS");
        mbedtls_ssl_conf_min_tls_version(&config, MBEDTLS_SSL_VERSION_TLS1_2);
        mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_REQUIRED);
        mbedtls_ssl_conf_ca_chain(&config, &authorities, nullptr);
        mbedtls_ssl_conf_rng(&config, random_bytes, nullptr);
        check(mbedtls_ssl_setup(&context, &config), "prepare TLS");
        check(mbedtls_ssl_set_hostname(&context, server.c_str()), "prepare TLS");
        mbedtls_ssl_set_bio(&context, &connection, send_some, receive_some, nullptr);
    }

    /// Calls until it needs to wait for nothing more; returns what it says then.
    template <typename Call>
    int repeat(const Patience& patience, Call call)
    {
        for (;;) {
            const int result = call();
            if (result == MBEDTLS_ERR_SSL_WANT_READ)
                patience.wait(connection.get(), POLLIN);
            else if (result == MBEDTLS_ERR_SSL_WANT_WRITE)
                patience.wait(connection.get(), POLLOUT);
            else if (result != MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
                return result;
        }
    }

    UniqueFd connection;
    mbedtls_x509_crt authorities;
    mbedtls_ssl_config config;
    mbedtls_ssl_context context;
};

Tls::Tls(UniqueFd connection, const std::string& authorities, const std::string& server, const Patience& patience)
    : session_(std::make_unique<Session>(std::move(connection)))
{
    session_->prepare(authorities, server);
    const int result = session_->repeat(patience, [this] { return mbedtls_ssl_handshake(&session_->context); });
    if (result == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED)
        throw Error(Code::io_failure, "the certificate of " + server + " isn't to be trusted: " +
                                          what_is_wrong(mbedtls_ssl_get_verify_result(&session_->context)));
    check(result, "TLS handshake");
}

Tls::~Tls() = default;

void Tls::write(std::string_view text, const Patience& patience)
{
    while (!text.empty()) {
        const int sent = session_->repeat(patience, [&] {
            return mbedtls_ssl_write(&session_->context, reinterpret_cast<const unsigned char*>(text.data()),
                                     text.size());
        });
        if (sent < 0)
            throw Error(Code::io_failure, "send: " + words_for(sent));
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
}

std::size_t Tls::read(std::span<char> buffer, const Patience& patience)
{
    const int received = session_->repeat(patience, [&] {
        return mbedtls_ssl_read(&session_->context, reinterpret_cast<unsigned char*>(buffer.data()), buffer.size());
    });
    if (received == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
        return 0;
    if (received <= 0)
        throw Error(Code::io_failure, "receive: " + (received == 0 ? "the connection was cut" : words_for(received)));
    return static_cast<std::size_t>(received);
}

}  // namespace sallyport::kubernetes
