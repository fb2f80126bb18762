// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Tables in memory, and a way to die in the middle: after a number of writes every further one throws, as if the
// process had been killed there.
#pragma once

#include "sallyport/error.hpp"
#include "sallyport/table.hpp"

#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace sallyport::test {

/// What a killed process doesn't come back from.
struct Killed
{};

/// Counts down over all tables that share it.
struct Lifetime
{
    std::optional<unsigned> writes_left;  ///< nullopt: for ever
    bool fails_only = false;              ///< one write fails with an Error, and life goes on

    void spend()
    {
        if (!writes_left || (*writes_left)-- != 0)
            return;
        if (!fails_only)
            throw Killed{};
        writes_left.reset();
        throw Error(Code::io_failure, "write to a table: Out of memory");
    }
};

template <typename Key, typename Value>
class FakeTable final : public Table<Key, Value>
{
public:
    explicit FakeTable(Lifetime& lifetime) : lifetime_(lifetime) {}

    std::optional<Value> find(const Key& key) const override
    {
        const auto entry = entries_.find(bytes(key));
        return entry == entries_.end() ? std::nullopt : std::optional<Value>(entry->second);
    }

    void put(const Key& key, const Value& value) override
    {
        lifetime_.spend();
        entries_[bytes(key)] = value;
    }

    void erase(const Key& key) override
    {
        lifetime_.spend();
        entries_.erase(bytes(key));
    }

    std::vector<std::pair<Key, Value>> all() const override
    {
        std::vector<std::pair<Key, Value>> all;
        for (const auto& [raw, value] : entries_) {
            Key key{};
            std::memcpy(&key, raw.data(), sizeof key);
            all.emplace_back(key, value);
        }
        return all;
    }

    std::size_t size() const { return entries_.size(); }

private:
    // As the kernel compares keys: byte by byte, padding included.
    static std::string bytes(const Key& key) { return {reinterpret_cast<const char*>(&key), sizeof key}; }

    Lifetime& lifetime_;
    std::map<std::string, Value> entries_;
};

/// As the kernel keeps it: a pod lives until it is unbound, or ends by itself.
class FakeLiving final : public Table<__u32, __u32>
{
public:
    std::optional<__u32> find(const __u32& key) const override
    {
        return ended_.contains(key) ? std::nullopt : std::optional<__u32>(1);
    }
    void put(const __u32& key, const __u32& /*device*/) override { ended_.erase(key); }
    void erase(const __u32& key) override { ended_.insert(key); }
    std::vector<std::pair<__u32, __u32>> all() const override { return {}; }

    void end(std::uint64_t generation) { ended_.insert(abi::living_key(generation)); }

private:
    std::set<__u32> ended_;
};

struct FakeTables
{
    Lifetime lifetime;
    FakeTable<__u32, abi::meta> meta{lifetime};
    FakeTable<abi::pod_key, abi::pod> pods{lifetime};
    FakeTable<abi::pod_exposure_key, abi::pod_exposure> pod_exposures{lifetime};
    FakeTable<abi::address, __u64> pod_addresses{lifetime};
    FakeLiving living;
    FakeTable<abi::endpoint, abi::backend> backends{lifetime};
    FakeTable<__u64, abi::pod_word> words{lifetime};
    FakeTable<abi::endpoint, abi::node_port> node_ports{lifetime};
    FakeTable<__u32, __u32> port_uses{lifetime};
    FakeTable<abi::endpoint, std::vector<abi::traffic>> traffic{lifetime};

    BindingTables references()
    {
        return {meta, pods, pod_exposures, pod_addresses, living, backends, words, node_ports, port_uses, traffic};
    }

    /// Entries that belong to pods; `meta` and `port_uses` outlive them.
    std::size_t entries() const
    {
        return pods.size() + pod_exposures.size() + pod_addresses.size() + backends.size() + words.size() +
               node_ports.size() + traffic.size();
    }
};

}  // namespace sallyport::test
