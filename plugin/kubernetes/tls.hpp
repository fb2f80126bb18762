// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// TLS 1.2 or 1.3 to a server whose certificate is verified, by Mbed TLS. tls.cpp alone includes that library.
#pragma once

#include "socket.hpp"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace sallyport::kubernetes {

class Tls
{
public:
    /// Shakes hands. `authorities` are certificates in PEM, `server` the name or the address that the server's
    /// certificate must be for. Throws Error(io_failure) that says what is wrong with it, or as Patience does.
    Tls(UniqueFd connection, const std::string& authorities, const std::string& server, const Patience& patience);
    ~Tls();
    Tls(const Tls&) = delete;
    Tls& operator=(const Tls&) = delete;

    /// Sends all of it.
    void write(std::string_view text, const Patience& patience);

    /// At least one byte; 0 at the end, which is one only where the server said so: who cuts a connection can't make an
    /// answer seem complete.
    std::size_t read(std::span<char> buffer, const Patience& patience);

private:
    struct Session;
    std::unique_ptr<Session> session_;
};

}  // namespace sallyport::kubernetes
