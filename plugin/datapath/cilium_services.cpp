// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// frontends_of_cilium(), of inspection.hpp. The tables' forms are the same since Cilium 1.8, all in network byte order
// but slots, ids and flags.
#include "bpf_table.hpp"
#include "state_dir.hpp"

#include "sallyport/inspection.hpp"

#include <bpf/bpf.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <map>

namespace sallyport {

namespace {

namespace fs = std::filesystem;

/// A key of cilium_lb4_services_v2 and cilium_lb6_services_v2.
template <std::size_t address_size>
struct ServiceKey
{
    std::array<std::uint8_t, address_size> address;
    abi::be16 port;
    std::uint16_t slot;     ///< 0: the frontend itself; else one of its backends
    std::uint8_t protocol;  ///< 0: any
    std::uint8_t scope;     ///< 0: as clients from outside find it
    std::uint8_t padding[2];
};
static_assert(sizeof(ServiceKey<4>) == 12 && sizeof(ServiceKey<16>) == 24);

struct ServiceValue
{
    std::uint32_t backend;  ///< its id, with a slot
    std::uint16_t count;
    std::uint16_t reverse_nat;
    std::uint8_t flags;
    std::uint8_t more_flags;
    std::uint16_t quarantined;
};
static_assert(sizeof(ServiceValue) == 12);

enum service_flag {
    SERVICE_EXTERNAL_IP = 1 << 0,
    SERVICE_NODE_PORT = 1 << 1,
    SERVICE_HOST_PORT = 1 << 3,
    SERVICE_LOAD_BALANCER = 1 << 5,
};

Frontend::Kind kind_of(std::uint8_t flags)
{
    if (flags & SERVICE_HOST_PORT)
        return Frontend::Kind::host_port;
    if (flags & SERVICE_NODE_PORT)
        return Frontend::Kind::node_port;
    if (flags & SERVICE_LOAD_BALANCER)
        return Frontend::Kind::load_balancer;
    return flags & SERVICE_EXTERNAL_IP ? Frontend::Kind::external_ip : Frontend::Kind::service;
}

/// From 4 or 16 bytes in network byte order.
template <std::size_t address_size>
Address address_from(const std::uint8_t* bytes)
{
    Address::Bytes all = Address::any_v4().bytes();
    std::copy_n(bytes, address_size, all.end() - address_size);
    return Address(all);
}

/// The first of these pins, opened; none where its keys and values are smaller than we read, or none is there.
struct Pinned
{
    UniqueFd table;
    bpf_map_info info{};

    explicit Pinned(const std::vector<fs::path>& pins)
    {
        for (const fs::path& pin : pins)
            if (!table)
                table = open_pinned(pin);
        __u32 size = sizeof info;
        if (table && bpf_map_get_info_by_fd(table.get(), &info, &size) != 0)
            table = UniqueFd();
    }
};

/// Reads the backend of that id: address, then port, in each version of the table.
template <std::size_t address_size>
std::optional<Backend> find_backend(const Pinned& backends, std::uint32_t id, Protocol protocol)
{
    if (!backends.table || backends.info.key_size != sizeof id ||
        backends.info.value_size < address_size + sizeof(abi::be16))
        return std::nullopt;
    std::vector<std::uint8_t> value(backends.info.value_size);
    if (bpf_map_lookup_elem(backends.table.get(), &id, value.data()) != 0)
        return std::nullopt;
    abi::be16 port = 0;
    std::memcpy(&port, value.data() + address_size, sizeof port);
    return Backend{address_from<address_size>(value.data()), PodPort{ntohs(port)}, protocol};
}

template <std::size_t address_size>
void read_frontends(const Pinned& services, const Pinned& backends, const std::function<bool(const NodePort&)>& wanted,
                    std::vector<Frontend>& frontends)
{
    using Key = ServiceKey<address_size>;
    if (!services.table || services.info.key_size != sizeof(Key) || services.info.value_size != sizeof(ServiceValue))
        return;
    std::map<NodePort, Frontend> found;
    std::map<NodePort, std::vector<std::uint32_t>> ids;
    const BpfTable<Key, ServiceValue> table(services.table.get(), "cilium_lb_services");
    table.for_each([&](const Key& key, const ServiceValue& value) {
        if (key.scope != 0)
            return;
        for (const Protocol protocol : {Protocol::tcp, Protocol::udp}) {
            const NodePort at{address_from<address_size>(key.address.data()), HostPort{ntohs(key.port)}, protocol};
            if ((key.protocol != 0 && key.protocol != static_cast<std::uint8_t>(protocol)) || !wanted(at))
                continue;
            if (key.slot == 0)
                found[at] = {at, kind_of(value.flags), {}};
            else
                ids[at].push_back(value.backend);
        }
    });
    for (auto& [at, frontend] : found) {
        for (const std::uint32_t id : ids[at])
            if (const auto backend = find_backend<address_size>(backends, id, at.protocol))
                frontend.backends.push_back(*backend);
        frontends.push_back(std::move(frontend));
    }
}

}  // namespace

std::vector<Frontend> frontends_of_cilium(const fs::path& bpffs, const std::function<bool(const NodePort&)>& wanted)
{
    const fs::path tables = bpffs / "tc" / "globals";
    const auto services = [&](const std::string& family) { return tables / ("cilium_" + family + "_services_v2"); };
    const auto backends = [&](const std::string& family) {  // v3 since Cilium 1.14
        return std::vector{tables / ("cilium_" + family + "_backends_v3"),
                           tables / ("cilium_" + family + "_backends_v2")};
    };
    std::vector<Frontend> frontends;
    read_frontends<4>(Pinned({services("lb4")}), Pinned(backends("lb4")), wanted, frontends);
    read_frontends<16>(Pinned({services("lb6")}), Pinned(backends("lb6")), wanted, frontends);
    return frontends;
}

}  // namespace sallyport
