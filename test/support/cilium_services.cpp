// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/cilium_services.hpp"
#include "support/errors.hpp"

#include <arpa/inet.h>
#include <bpf/bpf.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace sallyport::test {

namespace {

bool is_v6(const Target& target)
{
    return target.address.find(':') != std::string::npos;
}

/// The address's 4 or 16 bytes, the port and further bytes: keys and values of all four tables begin so.
std::vector<std::uint8_t> packed(const Target& target, const std::vector<std::uint8_t>& rest)
{
    std::vector<std::uint8_t> bytes(is_v6(target) ? 16 : 4);
    require(inet_pton(is_v6(target) ? AF_INET6 : AF_INET, target.address.c_str(), bytes.data()) == 1, "an address");
    const std::uint16_t port = htons(target.port);
    const auto* const raw = reinterpret_cast<const std::uint8_t*>(&port);
    bytes.insert(bytes.end(), raw, raw + sizeof port);
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    return bytes;
}

}  // namespace

CiliumServices::CiliumServices(const std::filesystem::path& bpffs, const std::vector<CiliumService>& services)
    : directory_(bpffs / "tc/globals")
{
    std::filesystem::create_directories(directory_);
    for (const bool v6 : {false, true}) {
        const std::uint32_t address = v6 ? 16 : 4;
        services_[v6] = make(v6 ? "cilium_lb6_services_v2" : "cilium_lb4_services_v2", address + 8, 12);
        backends_[v6] = make(v6 ? "cilium_lb6_backends_v3" : "cilium_lb4_backends_v3", 4, address + 8);
    }
    for (const CiliumService& service : services)
        add(service);
}

CiliumServices::~CiliumServices()
{
    std::error_code ignored;
    for (const std::filesystem::path& pin : pins_)
        std::filesystem::remove(pin, ignored);
}

UniqueFd CiliumServices::make(const std::string& name, std::uint32_t key_size, std::uint32_t value_size)
{
    UniqueFd table(bpf_map_create(BPF_MAP_TYPE_HASH, name.substr(0, 15).c_str(), key_size, value_size, 64, nullptr));
    require(table && bpf_obj_pin(table.get(), (directory_ / name).c_str()) == 0, "make a table of Cilium's");
    pins_.push_back(directory_ / name);
    return table;
}

std::uint32_t CiliumServices::add_backend(const Target& backend, bool v6)
{
    const std::uint32_t id = ++last_backend_;
    const auto value = packed(backend, {IPPROTO_TCP, 0, 0, 0, 0, 0});  // flags, cluster's id, zone
    require(bpf_map_update_elem(backends_.at(v6).get(), &id, value.data(), BPF_ANY) == 0, "write Cilium's backends");
    return id;
}

void CiliumServices::add(const CiliumService& service)
{
    const bool v6 = is_v6(service.frontend);
    const auto put = [&](std::uint8_t slot, std::uint32_t backend, std::uint8_t count, std::uint8_t flags) {
        const auto key = packed(service.frontend, {slot, 0, service.protocol, service.scope, 0, 0});
        std::array<std::uint8_t, 12> value{};
        std::memcpy(value.data(), &backend, sizeof backend);
        value[4] = count;
        value[8] = flags;
        require(bpf_map_update_elem(services_.at(v6).get(), key.data(), value.data(), BPF_ANY) == 0,
                "write Cilium's services");
    };
    std::uint8_t slot = 0;
    for (const Target& backend : service.backends)
        put(++slot, add_backend(backend, v6), 0, 0);
    put(0, 0, slot, service.flags);
}

}  // namespace sallyport::test
