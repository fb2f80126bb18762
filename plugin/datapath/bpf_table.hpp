// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A Table in a BPF map, by its file descriptor (which somebody else owns).
#pragma once

#include "sallyport/error.hpp"
#include "sallyport/table.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sallyport {

[[noreturn]] inline void throw_table_error(const std::string& action, const std::string& table, int error)
{
    const bool full = error == E2BIG || error == ENOSPC;
    throw Error(full ? Code::try_again_later : Code::io_failure,
                action + " table " + table + ": " +
                    (full ? "it is full; remove pods from this node first" : errno_text(error)));
}

/// Writes an entry. The kernel takes the memory for one from a small stock, which it fills up in the background, so
/// that "out of memory" may be over a moment later: a thousand entries of a per-CPU table at once are more than there
/// is.
inline void update(int fd, const std::string& table, const void* key, const void* value)
{
    using std::chrono::steady_clock;
    for (const auto end = steady_clock::now() + std::chrono::seconds(2);
         bpf_map_update_elem(fd, key, value, BPF_ANY) != 0;) {
        const int error = errno;
        if (error != ENOMEM || steady_clock::now() > end)
            throw_table_error("write to", table, error);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

/// The kernel copies as much as the table has into what we give it: what else somebody may have pinned by our name
/// must not be asked.
inline void require_shape(int fd, const std::string& table, std::size_t key_size, std::size_t value_size)
{
    bpf_map_info info{};
    __u32 size = sizeof info;
    if (bpf_map_get_info_by_fd(fd, &info, &size) != 0 || info.key_size != key_size || info.value_size != value_size)
        throw Error(Code::io_failure, "what is pinned as table " + table +
                                          " is something else; remove it, and the next "
                                          "ADD of a gateway pod makes the table anew");
}

template <typename Key, typename Value>
class BpfTable final : public Table<Key, Value>
{
public:
    /// Throws Error(io_failure) where `fd` is of something else.
    BpfTable(int fd, std::string name) : fd_(fd), name_(std::move(name))
    {
        require_shape(fd_, name_, sizeof(Key), sizeof(Value));
    }

    std::optional<Value> find(const Key& key) const override
    {
        Value value{};
        if (bpf_map_lookup_elem(fd_, &key, &value) == 0)
            return value;
        if (errno != ENOENT)
            throw_table_error("read", name_, errno);
        return std::nullopt;
    }

    void put(const Key& key, const Value& value) override { update(fd_, name_, &key, &value); }

    void erase(const Key& key) override
    {
        if (bpf_map_delete_elem(fd_, &key) != 0 && errno != ENOENT)
            throw_table_error("remove from", name_, errno);
    }

    /// A snapshot under the lock; while the datapath writes (flows), entries may be missed or seen twice.
    std::vector<std::pair<Key, Value>> all() const override
    {
        std::vector<std::pair<Key, Value>> entries;
        for_each([&](const Key& key, const Value& value) { entries.emplace_back(key, value); });
        return entries;
    }

    /// The same without keeping them: flow tables have hundreds of thousands.
    template <typename Visit>
    void for_each(Visit visit) const
    {
        // In batches (kernel 5.6): one call for each entry would make ADD slower with every pod on the node.
        constexpr __u32 batch = 256;
        std::vector<Key> keys(batch);
        std::vector<Value> values(batch);
        // Opaque to us: 4 bytes for a hash table, but a whole key for a trie.
        alignas(8) std::array<std::byte, std::max(sizeof(Key), sizeof(__u64))> cursor{};
        for (bool first = true, last = false; !last; first = false) {
            __u32 count = batch;
            if (bpf_map_lookup_batch(fd_, first ? nullptr : cursor.data(), cursor.data(), keys.data(), values.data(),
                                     &count, nullptr) != 0) {
                if (first && errno == kernel_enotsupp)
                    return one_by_one(visit);
                if (errno != ENOENT)
                    throw_table_error("list", name_, errno);
                last = true;
            }
            for (__u32 i = 0; i < count; i++)
                visit(keys[i], values[i]);
        }
    }

private:
    /// include/linux/errno.h of the kernel: "operation is not supported", as tries without batches say it (5.10).
    static constexpr int kernel_enotsupp = 524;

    template <typename Visit>
    void one_by_one(Visit& visit) const
    {
        Key key{};
        for (const Key* previous = nullptr; bpf_map_get_next_key(fd_, previous, &key) == 0; previous = &key)
            if (const auto value = find(key))
                visit(key, *value);
    }

    int fd_;
    std::string name_;
};

/// How many values an entry of a per-CPU table has. Throws Error(node_lacks).
inline std::size_t possible_cpus()
{
    const int cpus = libbpf_num_possible_cpus();
    if (cpus < 0)
        throw Error(Code::node_lacks, "read /sys/devices/system/cpu/possible: " + errno_text(-cpus));
    return static_cast<std::size_t>(cpus);
}

/// One value for each possible CPU. Writing takes any number of values and fills up with zeros.
template <typename Key, typename Value>
class PerCpuBpfTable final : public Table<Key, std::vector<Value>>
{
public:
    PerCpuBpfTable(int fd, std::string name, std::size_t cpus) : fd_(fd), name_(std::move(name)), cpus_(cpus)
    {
        static_assert(sizeof(Value) % 8 == 0, "the kernel rounds each CPU's value up to 8 bytes");
        require_shape(fd_, name_, sizeof(Key), sizeof(Value));
    }

    std::optional<std::vector<Value>> find(const Key& key) const override
    {
        std::vector<Value> values(cpus_);
        if (bpf_map_lookup_elem(fd_, &key, values.data()) == 0)
            return values;
        if (errno != ENOENT)
            throw_table_error("read", name_, errno);
        return std::nullopt;
    }

    void put(const Key& key, const std::vector<Value>& values) override
    {
        std::vector<Value> all_cpus(values);
        all_cpus.resize(cpus_);
        update(fd_, name_, &key, all_cpus.data());
    }

    void erase(const Key& key) override
    {
        if (bpf_map_delete_elem(fd_, &key) != 0 && errno != ENOENT)
            throw_table_error("remove from", name_, errno);
    }

    std::vector<std::pair<Key, std::vector<Value>>> all() const override
    {
        std::vector<std::pair<Key, std::vector<Value>>> entries;
        Key key{};
        for (const Key* previous = nullptr; bpf_map_get_next_key(fd_, previous, &key) == 0; previous = &key)
            if (auto values = find(key))
                entries.emplace_back(key, std::move(*values));
        return entries;
    }

private:
    int fd_;
    std::string name_;
    std::size_t cpus_;
};

}  // namespace sallyport
