// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/web.hpp"

#include "support/traffic.hpp"

#include <stdexcept>

namespace sallyport::test {

namespace {

int status_of(const std::string& head)
{
    return head.starts_with("HTTP/1.1 ") ? std::stoi(head.substr(9, 3)) : 0;
}

void check_length(const HttpAnswer& answer)
{
    const std::string field = "\r\nContent-Length: ";
    const std::size_t at = answer.head.find(field);
    if (at == std::string::npos || std::stoul(answer.head.substr(at + field.size())) != answer.body.size())
        throw std::runtime_error("wrong Content-Length for " + std::to_string(answer.body.size()) +
                                 " bytes: " + answer.head);
}

}  // namespace

HttpAnswer exchange(const Namespace& netns, const Target& server, const std::string& request)
{
    Connection connection(netns, server);
    connection.send(request);
    const std::string all = connection.read_all();
    const std::size_t end = all.find("\r\n\r\n");
    if (end == std::string::npos)
        return {0, all, ""};
    HttpAnswer answer{status_of(all), all.substr(0, end + 4), all.substr(end + 4)};
    if (!request.starts_with("HEAD"))
        check_length(answer);
    return answer;
}

Web::Web(const Node& node, const std::string& listen) : node_(node)
{
    state_.alive = true;
    state_.ready = true;
    WebOptions options;
    options.listen = listen;
    options.paths.bpffs = node.bpffs();
    options.version = "1.2.3";
    options.commit = "0123456789ab";
    server_ = node.host.run([&] {
        return std::make_unique<WebServer>(options, [this] {
            const std::lock_guard lock(mutex_);
            return state_;
        });
    });
}

void Web::say(AgentState state)
{
    const std::lock_guard lock(mutex_);
    state_ = std::move(state);
}

HttpAnswer Web::get(const std::string& path) const
{
    return exchange(node_.host, at("127.0.0.1"), "GET " + path + " HTTP/1.1\r\nHost: node\r\n\r\n");
}

Json Web::status() const
{
    return Json::parse(get("/status.json").body);
}

}  // namespace sallyport::test
