// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/web.hpp"

#include "door.hpp"
#include "http.hpp"
#include "listener.hpp"
#include "site.hpp"

#include <utility>

namespace sallyport {

struct WebServer::Parts
{
    Parts(const WebOptions& options, std::function<AgentState()> state)
        : site(options, std::move(state)),
          http([this](const web::Asked& asked) { return site.get(asked); }),
          door(
              web::listen_on(web::parse_listen(options.listen)),
              [this](std::string_view head, web::Family family) { return http.answer(head, family); },
              web::Http::too_long())
    {}

    web::Site site;
    web::Http http;
    web::Door door;  // last: its thread uses the others
};

void check_listen(std::string_view text)
{
    web::parse_listen(text);
}

WebServer::WebServer(const WebOptions& options, std::function<AgentState()> state)
    : parts_(std::make_unique<Parts>(options, std::move(state)))
{}

WebServer::~WebServer() = default;

std::uint16_t WebServer::port() const
{
    return parts_->door.port();
}

}  // namespace sallyport
