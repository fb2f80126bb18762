// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// HTTP/1.1 between bytes and replies, by cpp-httplib. Its listener isn't used: that has a thread for each connection,
// no deadline for a whole request, and 500 slow clients keep it from all others. Connections are the business of
// door.hpp.
#pragma once

#include "reply.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace sallyport::web {

class Http
{
public:
    /// `get` answers a path, percent-decoded and without its query. Where it throws, the client gets a 500.
    explicit Http(std::function<Reply(const std::string& path)> get);
    ~Http();

    /// The answer to a request's head, or to what came instead of one. Anything but GET and HEAD is refused.
    Message answer(std::string_view head);

    /// To a head that is longer than we read.
    static Message too_long();

private:
    class Server;
    std::unique_ptr<Server> server_;
};

}  // namespace sallyport::web
