// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "sallyport/cri.hpp"

#include "grpc.hpp"
#include "messages.hpp"

#include "sallyport/error.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <system_error>

namespace sallyport {
namespace {

/// k3s and RKE2 bring a containerd of their own.
constexpr std::array<std::string_view, 3> usual_sockets = {"/run/containerd/containerd.sock", "/run/crio/crio.sock",
                                                           "/run/k3s/containerd/containerd.sock"};

}  // namespace

std::optional<std::filesystem::path> find_cri_socket(const std::string& option)
{
    if (option == "off")
        return std::nullopt;
    if (option != "auto")
        return option;
    std::error_code ignored;
    for (const std::string_view candidate : usual_sockets)
        if (std::filesystem::is_socket(candidate, ignored))
            return candidate;
    return std::nullopt;
}

template <typename Result>
Result CriClient::ask(const std::string& method, const std::string& request, Result (*read)(std::string_view)) const
{
    try {
        return read(grpc::call(socket_, "/runtime.v1.RuntimeService/" + method, request, deadline_));
    } catch (const Error& error) {
        throw error.during("ask the container runtime at " + socket_.string() + " (" + method + ")");
    }
}

RuntimeVersion CriClient::version() const
{
    return ask("Version", {}, cri::read_version_response);
}

std::vector<Sandbox> CriClient::list_sandboxes() const
{
    std::vector<Sandbox> sandboxes = ask("ListPodSandbox", {}, cri::read_list_response);
    std::ranges::stable_sort(sandboxes, {}, &Sandbox::created_at);
    return sandboxes;
}

Sandbox CriClient::inspect(const std::string& id) const
{
    return ask("PodSandboxStatus", cri::status_request(id), cri::read_status_response);
}

}  // namespace sallyport
