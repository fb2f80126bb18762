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
    /// Where `get` throws, the client gets a 500.
    explicit Http(std::function<Reply(const Asked& asked)> get);

    /// The answer to a request's head, which came over that family; or to what came instead of one; what follows the
    /// head is left alone. Anything but GET and HEAD is refused. Doesn't throw.
    Message answer(std::string_view head, Family family) const noexcept;

    /// To a head that is longer than we read.
    static Message too_long();

private:
    std::function<Reply(const Asked&)> get_;
};

}  // namespace sallyport::web
