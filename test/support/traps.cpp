// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "support/traps.hpp"

#include "support/errors.hpp"

#include "sallyport/abi.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

namespace sallyport::test {

namespace {

UniqueFd load_xdp_pass()
{
    bpf_insn code[2] = {};
    code[0].code = BPF_ALU64 | BPF_MOV | BPF_K;  // r0 = XDP_PASS
    code[0].imm = XDP_PASS;
    code[1].code = BPF_JMP | BPF_EXIT;
    UniqueFd program(bpf_prog_load(BPF_PROG_TYPE_XDP, "cil_xdp_entry", "GPL", code, 2, nullptr));
    require(static_cast<bool>(program), "load an XDP program");
    return program;
}

}  // namespace

void raise_abi(const std::filesystem::path& bpffs)
{
    const UniqueFd table(bpf_obj_get((bpffs / "sallyport/maps/meta").c_str()));
    const std::uint32_t key = 0;
    abi::meta meta{};
    require(table && bpf_map_lookup_elem(table.get(), &key, &meta) == 0, "read table meta");
    meta.abi++;
    require(bpf_map_update_elem(table.get(), &key, &meta, BPF_ANY) == 0, "write table meta");
}

void pretend_another_abi(const std::filesystem::path& bpffs)
{
    constexpr std::uint32_t key_size = 8192;
    constexpr std::uint32_t value_size = 16384;
    constexpr std::uint32_t another = SALLYPORT_ABI + 1;
    for (const char* name : {"meta", "pods", "node_ports"}) {
        const bool is_meta = name == std::string("meta");
        const UniqueFd table(bpf_map_create(is_meta ? BPF_MAP_TYPE_ARRAY : BPF_MAP_TYPE_HASH, name,
                                            is_meta ? sizeof(std::uint32_t) : key_size, value_size, 1, nullptr));
        std::vector<std::uint8_t> key(key_size);
        std::vector<std::uint8_t> value(value_size, 0x5a);
        std::memcpy(value.data(), &another, sizeof another);
        if (!is_meta)
            std::fill(key.begin(), key.end(), 0x5a);
        const std::string pin = bpffs / "sallyport/maps" / name;
        require(table && bpf_map_update_elem(table.get(), key.data(), value.data(), BPF_ANY) == 0,
                "make another table");
        std::filesystem::remove(pin);
        require(bpf_obj_pin(table.get(), pin.c_str()) == 0, "pin another table");
    }
}

void pin_another_table(const std::filesystem::path& pin)
{
    constexpr std::uint32_t value_size = 1 << 20;
    const UniqueFd table(bpf_map_create(BPF_MAP_TYPE_HASH, "other", sizeof(std::uint32_t), value_size, 1, nullptr));
    const std::uint32_t key = 0;
    const std::vector<std::uint8_t> value(value_size, 0x5a);
    require(table && bpf_map_update_elem(table.get(), &key, value.data(), BPF_ANY) == 0, "make another table");
    std::filesystem::remove(pin);
    require(bpf_obj_pin(table.get(), pin.c_str()) == 0, "pin another table");
}

XdpProgram::XdpProgram(const Namespace& netns, const std::string& device)
    : netns_(netns),
      ifindex_(netns.run([&] { return static_cast<int>(if_nametoindex(device.c_str())); })),
      program_(load_xdp_pass())
{
    require(attach(program_.get()) == 0, "attach an XDP program");
}

XdpProgram::~XdpProgram()
{
    attach(-1);
}

int XdpProgram::attach(int program) const
{
    return netns_.run([&] { return bpf_xdp_attach(ifindex_, program, XDP_FLAGS_SKB_MODE, nullptr); });
}

}  // namespace sallyport::test
