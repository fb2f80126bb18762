// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
#include "pod_programs.hpp"

namespace sallyport::test {

Outcome PodPrograms::run(const char* program, const Packet& packet) const
{
    tried().insert({program, {packet.v6(), packet.protocol}});
    return run(program, packet.bytes());
}

Outcome PodPrograms::run(const char* program, const Bytes& bytes) const
{
    const bpf_program* found = bpf_object__find_program_by_name(object_->obj, program);
    return pod_.netns.run([&] { return test_run(found ? bpf_program__fd(found) : -1, program, bytes); });
}

RemappingGateway::RemappingGateway(Kind kind)
    : listener(pod.listen(kind)),
      inside(programs, pod),
      pod_port(pod.at(kind, 80))
{
    programs.remap(pod, kind, pod_port.port);
}

Packet RemappingGateway::request(Kind kind, std::uint16_t client_port) const
{
    return to(test::request(kind, client_port), pod_port);
}

void RemappingGateway::open_flow(Kind kind, std::uint16_t client_port) const
{
    const Packet first = request(kind, client_port);
    const Packet answer = reply(pod, kind, client_port);
    check_translated(inside.ingress(first), to(first, pod.at(kind)));
    check_translated(inside.egress(answer), from(answer, pod_port));
    if (!kind.tcp())
        return;
    const Packet last = with_flags(first, tcp_flag::ack);
    check_translated(inside.ingress(last), to(last, pod.at(kind)));
}

}  // namespace sallyport::test
