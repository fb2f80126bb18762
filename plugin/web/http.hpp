// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// HTTP/1.1 between bytes and replies, by Boost.Beast's parser. Of Beast and Asio nothing else is used: connections, and
// what slow or hostile clients may have of them, are the business of door.hpp. Its headers are included in http.cpp
// alone, as they take longer to compile than all of this folder.
#pragma once

#include "reply.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace sallyport::web {

class Http
{
public:
    /// `get` answers a path, percent-decoded and without its query. Where it throws, the client gets a 500.
    explicit Http(std::function<Reply(const std::string& path)> get);

    /// The answer to a request's head, or to what came instead of one; what follows the head is left alone. Anything
    /// but GET and HEAD is refused. Doesn't throw.
    Message answer(std::string_view head) const noexcept;

    /// To a head that is longer than we read.
    static Message too_long();

private:
    std::function<Reply(const std::string&)> get_;
};

}  // namespace sallyport::web
