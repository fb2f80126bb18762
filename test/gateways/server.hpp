// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Real servers: how each begins, and by which signal its image or its chart has it end.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace sallyport::test {

struct Server
{
    std::string name;
    int stop_signal = 0;

    /// Writes its configuration there, and says how it is begun: on port 9080 of IPv4, answering with `answer`.
    std::function<std::vector<std::string>(const std::filesystem::path& directory, const std::string& answer)> prepare;
};

/// Has `make gateways` fetched those that Debian hasn't (to the directory SALLYPORT_GATEWAYS)?
bool all_are_asked_for();

/// Those that speak QUIC, at UDP port 9443 of IPv4; all fetched.
std::vector<Server> quic_servers();

/// One of programs/ of this folder.
std::filesystem::path program_file(const std::string& name);

/// Those of Debian, which `make test` has, or all of them.
std::vector<Server> servers();

/// Where they are looked for.
std::string servers_path();

}  // namespace sallyport::test
