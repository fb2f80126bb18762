// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
//
// Below IP: devices without a link-layer header, and VLAN tags.
#include "fixture.hpp"

#include "sallyport/wire.hpp"

#include <bpf/bpf.h>
#include <linux/bpf.h>

#include <array>
#include <system_error>

using namespace sallyport;
using namespace sallyport::test;

namespace {

/// BPF_PROG_TEST_RUN takes the first 14 bytes for an Ethernet header. So the client of these packets has an address
/// that says "IPv4" (or "IPv6") where that has its type.
Target client_like_a_link(Kind kind)
{
    return {kind.v6 ? "2001:db8:86dd::7" : "8.0.0.7", 40000};
}

/// A program that gives a packet a tag, as a device with VLAN offload does, and goes on to `program`.
class Tagged
{
public:
    Tagged(const Programs& programs, const char* program, std::uint16_t tag)
        : next_(bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "next", 4, 4, 1, nullptr)),
          program_(load(next_.get(), tag))
    {
        const int target = bpf_program__fd(bpf_object__find_program_by_name(programs.object().obj, program));
        const std::uint32_t first = 0;
        if (bpf_map_update_elem(next_.get(), &first, &target, BPF_ANY) != 0)
            throw std::system_error(errno, std::generic_category(), "set the next program");
    }

    Outcome run(const Packet& packet) const { return test_run(program_.get(), "tagged", packet.bytes()); }

private:
    static bpf_insn instruction(int code, int destination, int source, int immediate)
    {
        bpf_insn made{};
        made.code = static_cast<__u8>(code);
        made.dst_reg = static_cast<__u8>(destination & 15);
        made.src_reg = static_cast<__u8>(source & 15);
        made.imm = immediate;
        return made;
    }

    static UniqueFd load(int next, std::uint16_t tag)
    {
        const auto set = [](int reg, int value) { return instruction(BPF_ALU64 | BPF_MOV | BPF_K, reg, 0, value); };
        const auto copy = [](int to, int from) { return instruction(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0); };
        const auto call = [](int helper) { return instruction(BPF_JMP | BPF_CALL, 0, 0, helper); };
        const std::array<bpf_insn, 12> code{copy(6, 1),
                                            set(2, htons(0x8100)),
                                            set(3, tag),
                                            call(BPF_FUNC_skb_vlan_push),
                                            copy(1, 6),
                                            instruction(BPF_LD | BPF_DW | BPF_IMM, 2, BPF_PSEUDO_MAP_FD, next),
                                            instruction(0, 0, 0, 0),
                                            set(3, 0),
                                            call(BPF_FUNC_tail_call),
                                            set(0, not_reached),
                                            instruction(BPF_JMP | BPF_EXIT, 0, 0, 0),
                                            instruction(BPF_JMP | BPF_EXIT, 0, 0, 0)};
        LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TCX_INGRESS);
        UniqueFd program(
            bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "tagged", "GPL", code.data(), code.size() - 1, &options));
        if (!program)
            throw std::system_error(errno, std::generic_category(), "load the program that gives a tag");
        return program;
    }

    static constexpr int not_reached = 99;

    UniqueFd next_;
    UniqueFd program_;
};

/// The frame as test_run hands it back: a tag beside the packet, as devices with offload have it, is no part of it.
constexpr std::uint16_t vlan_5 = 0x0005;
constexpr std::uint16_t priority_3 = 0x6000;

}  // namespace

PACKET_CASE("node_ingress", "packets without a link-layer header", every_kind)
{
    const OneGateway gateway(kind, {.link_header = 0});
    Packet in = from(request(kind), client_like_a_link(kind));
    in.payload = counting(40);
    tried().insert({"node_ingress", kind});
    check_bytes(gateway.programs.run("node_ingress", without_link(in.bytes())),
                without_link(to(in, gateway.pod.at(kind)).bytes()));
    CHECK(gateway.programs.traffic(gateway.node_port, kind.protocol).bytes[abi::FROM_CLIENT] ==
          without_link(in.bytes()).size());
    // With one, the same bytes are another packet.
    check_untouched(gateway.programs.ingress(in), in);
}

PACKET_CASE("node_egress", "replies without a link-layer header", every_kind)
{
    // Here it is the pod whose address must say so.
    Programs programs({.link_header = 0});
    const TestPod pod(7, "8.0.0.8", "fd00:0:86dd::7");
    const UniqueFd listener = pod.listen(kind);
    programs.expose(node_at(kind), kind.protocol, {&pod});
    Packet in = from(request(kind), client_like_a_link(kind));
    in.payload = counting(40);
    check_bytes(programs.run("node_ingress", without_link(in.bytes())), without_link(to(in, pod.at(kind)).bytes()));
    Packet out = to(reply(pod, kind), in.source);
    out.payload = counting(41);
    tried().insert({"node_egress", kind});
    check_bytes(programs.run("node_egress", without_link(out.bytes())), without_link(from(out, node_at(kind)).bytes()));
}

PACKET_CASE("node_ingress", "a packet of a VLAN is its device's; one that has a priority only is ours", every_kind)
{
    const OneGateway gateway(kind);
    const Packet in = request(kind);
    tried().insert({"node_ingress", kind});
    check_untouched(Tagged(gateway.programs, "node_ingress", vlan_5).run(in), in);
    check_untouched(Tagged(gateway.programs, "node_ingress", priority_3 | vlan_5).run(in), in);
    CHECK(gateway.programs.flows_new.all().empty());
    check_translated(Tagged(gateway.programs, "node_ingress", priority_3).run(in), to(in, gateway.pod.at(kind)));
}
