// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Tables of the kernel, as the command writes them.
#include "../../plugin/datapath/bpf_table.hpp"

#include <catch2/catch_test_macros.hpp>
#include <sallyport/os/unique_fd.hpp>
#include <unistd.h>

using namespace sallyport;

// The kernel's stock of memory for such entries lasts for some thousand at once.
TEST_CASE("a per-CPU table can be filled as fast as one can", "[table]")
{
    if (geteuid() != 0)
        SKIP("making a table needs root");
    LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC);
    const UniqueFd fd(bpf_map_create(BPF_MAP_TYPE_PERCPU_HASH, "traffic", sizeof(abi::endpoint), sizeof(abi::traffic),
                                     abi::MAX_NODE_PORTS, &options));
    REQUIRE(fd);
    PerCpuBpfTable<abi::endpoint, abi::traffic> table(fd.get(), "traffic", possible_cpus());
    unsigned written = 0;
    for (abi::endpoint key{}; written < abi::MAX_NODE_PORTS; key.address.words[0]++, written++)
        REQUIRE_NOTHROW(table.put(key, {}));
    CHECK(written == abi::MAX_NODE_PORTS);
}
