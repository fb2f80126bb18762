// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Cilium's tables of services and of their backends, with what a test puts into them; pinned where Cilium pins them,
// in the form that it gives them, until this object is gone. Nothing reads them but the plugin.
#pragma once

#include "sallyport/os/unique_fd.hpp"
#include "support/sockets.hpp"

#include <netinet/in.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace sallyport::test {

/// Flags of a service, as Cilium has them.
inline constexpr std::uint8_t cilium_external_ip = 1;
inline constexpr std::uint8_t cilium_node_port = 2;
inline constexpr std::uint8_t cilium_host_port = 8;
inline constexpr std::uint8_t cilium_load_balancer = 32;

struct CiliumService
{
    Target frontend;  ///< port 0: the whole address
    std::uint8_t flags = 0;
    std::vector<Target> backends{};
    std::uint8_t protocol = IPPROTO_TCP;  ///< of the key; 0 for any
    std::uint8_t scope = 0;               ///< 1: as found from inside the cluster
};

class CiliumServices
{
public:
    CiliumServices(const std::filesystem::path& bpffs, const std::vector<CiliumService>& services);
    CiliumServices(const CiliumServices&) = delete;
    CiliumServices& operator=(const CiliumServices&) = delete;
    ~CiliumServices();

private:
    UniqueFd make(const std::string& name, std::uint32_t key_size, std::uint32_t value_size);
    std::uint32_t add_backend(const Target& backend, bool v6);
    void add(const CiliumService& service);

    std::filesystem::path directory_;
    std::vector<std::filesystem::path> pins_;
    std::map<bool, UniqueFd> services_;  ///< by whether they are of IPv6
    std::map<bool, UniqueFd> backends_;
    std::uint32_t last_backend_ = 0;
};

}  // namespace sallyport::test
