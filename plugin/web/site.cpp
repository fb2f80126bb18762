// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "site.hpp"

#include "page.hpp"
#include "status_json.hpp"

#include <unistd.h>

#include <array>
#include <climits>
#include <utility>

namespace sallyport::web {

namespace {

constexpr std::string_view ports = "/ports/";
constexpr const char* prometheus_text = "text/plain; version=0.0.4; charset=utf-8";

/// A pod with the host's network has the host's name.
std::string host_name()
{
    std::array<char, HOST_NAME_MAX + 1> name{};
    return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace

std::optional<PortLabel> parse_port_path(std::string_view text)
{
    const std::size_t slash = text.find('/');
    const auto port = parse_port(text.substr(0, slash));
    const std::string_view protocol = slash == std::string_view::npos ? "tcp" : text.substr(slash + 1);
    if (!port || (protocol != "tcp" && protocol != "udp"))
        return std::nullopt;
    return PortLabel{*port, *parse_protocol(protocol)};
}

std::optional<Family> parse_family(std::string_view query, Family other)
{
    constexpr std::string_view key = "family=";
    std::optional<Family> family = other;
    while (!query.empty()) {
        const std::size_t end = query.find('&');
        const std::string_view part = query.substr(0, end);
        if (part.starts_with(key)) {
            const std::string_view value = part.substr(key.size());
            if (value != "ipv4" && value != "ipv6")
                return std::nullopt;
            family = value == "ipv4" ? Family::v4 : Family::v6;
        }
        query = end == std::string_view::npos ? "" : query.substr(end + 1);
    }
    return family;
}

Site::Site(const WebOptions& options, std::function<AgentState()> state)
    : paths_(options.paths),
      build_{options.version, options.commit},
      state_(std::move(state)),
      looks_(paths_)
{}

Reply Site::get(const Asked& asked)
{
    const std::string& path = asked.path;
    if (path == "/healthz")
        return healthy();
    if (path == "/readyz")
        return ready();
    if (path.starts_with(ports))
        return port(std::string_view(path).substr(ports.size()), asked);
    if (path == "/metrics")
        return metrics();
    if (path == "/status.json")
        return status();
    return page_file(path).value_or(reply(404, "404 Not Found; there are /, /metrics, /status.json, /healthz, /readyz "
                                               "and /ports/<port>[/tcp|udp]\n"));
}

Reply Site::healthy() const
{
    return state_().alive ? reply(200, "ok\n") : reply(503, "the agent's loop doesn't turn\n");
}

Reply Site::ready() const
{
    const AgentState agent = state_();
    std::string reasons;
    for (const std::string& problem : agent.problems)
        reasons += problem + "\n";
    if (agent.ready)
        return reply(200, "ok\n" + reasons);
    return reply(503, reasons.empty() ? "not ready yet\n" : reasons);
}

Reply Site::port(std::string_view text, const Asked& asked) const
{
    const auto port = parse_port_path(text);
    if (!port)
        return reply(404, "404 Not Found; write /ports/443, /ports/443/tcp or /ports/443/udp\n");
    const auto family = parse_family(asked.query, asked.family);
    if (!family)
        return reply(400, "400 Bad Request; write ?family=ipv4 or ?family=ipv6\n");
    const auto why = why_not_served(paths_, *port, *family);
    return why ? reply(503, *why + "\n") : reply(200, "ok\n");
}

Reply Site::metrics()
{
    return {200, prometheus_text, metrics_.get(looks_.now(), [this](const Look& look) { return metrics_of(look); })};
}

Reply Site::status()
{
    return {200, "application/json", status_.get(looks_.now(), [this](const Look& look) { return status_of(look); })};
}

std::string Site::metrics_of(const Look& look) const
{
    return look.another_abi ? metrics_text(*look.another_abi, state_(), build_)
                            : metrics_text(look.report, looks_.totals(), state_(), build_);
}

std::string Site::status_of(const Look& look) const
{
    const Origin origin{host_name(), build_, std::chrono::steady_clock::now(), std::chrono::system_clock::now()};
    return status_json(look, look.another_abi ? History{} : read_history(paths_), state_(), origin);
}

}  // namespace sallyport::web
