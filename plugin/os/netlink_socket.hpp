// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// One request over netlink and its answers; for the netlink*.cpp files alone. Messages are read where they arrive:
// libnl's caches, and already its callbacks, copy every one of them, and a node of 250 pods lists more than a thousand
// within the few milliseconds of an ADD.
#pragma once

#include "unchanged.hpp"

#include "sallyport/error.hpp"

#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::netlink {

/// What a request is for, for messages: "list the node's addresses", and what the operator can look at.
struct Purpose
{
    std::string action;
    std::string advice;
};

[[noreturn]] inline void fail(const Purpose& purpose, const std::string& reason)
{
    throw Error(Code::node_lacks, purpose.action + " over netlink: " + reason + "; " + purpose.advice);
}

template <auto release>
struct Release
{
    void operator()(auto* object) const noexcept { release(object); }
};
using Socket = std::unique_ptr<nl_sock, Release<nl_socket_free>>;
using Message = std::unique_ptr<nl_msg, Release<nlmsg_free>>;
using Buffer = std::unique_ptr<unsigned char, Release<std::free>>;

template <typename Header>
Message make_message(int type, int flags, const Header& header)
{
    Message message(nlmsg_alloc_simple(type, flags));
    if (!message || nlmsg_append(message.get(), const_cast<Header*>(&header), sizeof header, NLMSG_ALIGNTO) != 0)
        throw std::bad_alloc();
    return message;
}

inline void add_attribute(Message& message, int type, std::uint32_t value)
{
    if (nla_put_u32(message.get(), type, value) != 0)
        throw std::bad_alloc();
}

inline void add_attribute(Message& message, int type, const std::string& value)
{
    if (nla_put_string(message.get(), type, value.c_str()) != 0)
        throw std::bad_alloc();
}

/// The error (positive) in a message that ends a conversation: an acknowledgement, a refusal or the end of a list.
inline int final_error(nlmsghdr* message)
{
    int result = 0;
    if (nlmsg_datalen(message) >= static_cast<int>(sizeof result))
        std::memcpy(&result, nlmsg_data(message), sizeof result);
    return result < 0 ? -result : 0;
}

class Conversation
{
public:
    explicit Conversation(int protocol) : socket_(nl_socket_alloc())
    {
        if (!socket_)
            throw std::bad_alloc();
        nl_socket_disable_auto_ack(socket_.get());
        // The kernel fills at most 32 KiB at once. A buffer of that size saves the peek before every read.
        if (const int error = nl_socket_set_msg_buf_size(socket_.get(), 32768); error != 0)
            throw Error(Code::node_lacks, std::string("prepare a netlink socket: ") + nl_geterror(error));
        if (const int error = nl_connect(socket_.get(), protocol); error != 0)
            throw Error(Code::node_lacks, std::string("open a netlink socket: ") + nl_geterror(error) +
                                              "; seccomp, a security module or the limit of open files may forbid it");
        // From kernel 4.20 on the table in a request for routes is then heeded. Before, we get all and sort them out.
        const int on = 1;
        if (protocol == NETLINK_ROUTE)
            (void)::setsockopt(nl_socket_get_fd(socket_.get()), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
    }

    /// Sends one request and hands every answer to `visit`, until the last. Returns 0 or the error (positive) that the
    /// kernel answered with; EINTR where what it was listing changed meanwhile, so that the list may lack something.
    template <typename Visit>
    int ask(const Purpose& purpose, Message& request, Visit visit)
    {
        if (const int error = nl_send_auto(socket_.get(), request.get()); error < 0)
            fail(purpose, nl_geterror(error));
        for (bool interrupted = false;;) {
            unsigned char* bytes = nullptr;
            sockaddr_nl sender{};
            int length = nl_recv(socket_.get(), &sender, &bytes, nullptr);
            const Buffer buffer(bytes);
            if (length <= 0)
                fail(purpose, length < 0 ? nl_geterror(length) : "no answer");

            auto* message = reinterpret_cast<nlmsghdr*>(bytes);
            for (; nlmsg_ok(message, length); message = nlmsg_next(message, &length)) {
                interrupted = interrupted || (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
                // A list that fails on its way says so in its last message, not in an error message.
                if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE)
                    return interrupted ? EINTR : final_error(message);
                visit(message);
                if ((message->nlmsg_flags & NLM_F_MULTI) == 0)
                    return 0;
            }
        }
    }

    /// The whole list, or none. `read` appends what one answer says. The kernel's error `error_if_empty` stands for an
    /// empty list.
    template <typename Item, typename Read>
    std::vector<Item> list(const Purpose& purpose, Message request, Read read, int error_if_empty = 0)
    {
        return read_unchanged(purpose.action + " over netlink", [&]() -> std::optional<std::vector<Item>> {
            std::vector<Item> items;
            const int error = ask(purpose, request, [&](nlmsghdr* header) { read(header, items); });
            if (error == 0)
                return items;
            if (error == error_if_empty)
                return std::vector<Item>{};
            if (error != EINTR)
                fail(purpose, errno_text(error));
            return std::nullopt;
        });
    }

private:
    Socket socket_;
};

template <typename Header>
const Header* header_of(nlmsghdr* message)
{
    return nlmsg_valid_hdr(message, sizeof(Header)) ? static_cast<const Header*>(nlmsg_data(message)) : nullptr;
}

/// The first attribute of that type behind the header, or null.
template <typename Header>
const nlattr* find(nlmsghdr* message, int type)
{
    return nlmsg_find_attr(message, sizeof(Header), type);
}

}  // namespace sallyport::netlink
