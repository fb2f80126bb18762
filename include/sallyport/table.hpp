// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// A key-value table, wherever it lives: in a pinned BPF map in production, in memory in the tests of bindings.cpp.
#pragma once

#include "sallyport/abi.h"

#include <optional>
#include <utility>
#include <vector>

namespace sallyport {

/// All operations throw Error where the table can't be reached. Keys must have their padding zeroed.
template <typename Key, typename Value>
class Table
{
public:
    Table() = default;
    Table(const Table&) = delete;
    Table& operator=(const Table&) = delete;
    virtual ~Table() = default;

    virtual std::optional<Value> find(const Key& key) const = 0;
    virtual void put(const Key& key, const Value& value) = 0;  ///< inserts or replaces
    virtual void erase(const Key& key) = 0;                    ///< does nothing where there is no such key
    virtual std::vector<std::pair<Key, Value>> all() const = 0;
};

/// The tables in which bindings are kept. References: whoever makes this keeps the tables alive.
struct BindingTables
{
    Table<__u32, abi::meta>& meta;
    Table<abi::pod_key, abi::pod>& pods;
    Table<abi::pod_exposure_key, abi::pod_exposure>& pod_exposures;
    Table<abi::address, __u64>& pod_addresses;
    Table<__u32, __u32>& living;  ///< written from inside each pod's namespace (Datapath::follow_life)
    Table<abi::endpoint, abi::backend>& backends;
    Table<__u64, abi::pod_word>& words;
    Table<abi::endpoint, abi::node_port>& node_ports;
    Table<__u32, __u32>& port_uses;                            ///< an array: put 0 instead of erasing
    Table<abi::endpoint, std::vector<abi::traffic>>& traffic;  ///< one value for each possible CPU
};

}  // namespace sallyport
