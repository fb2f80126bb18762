# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""The least that a packet costs: one packet in a loop (BPF_PROG_TEST_RUN with repeats), everything in the caches.

A repeat finds the packet as the run before left it, and an established flow's was translated. So a wrapper runs first:
it stores the packet's bytes anew, then goes on to the program under test by a tail call. The same wrapper with an empty
program behind it is what is taken off; what is left is the program's own."""
import ctypes
import os
import socket
import struct
from itertools import product

from bpf import (MAP_CREATE, MAP_UPDATE, PROG_ARRAY, TCX, bpf, first_entry, instruction, load_empty_program, load_program,
                 open_pinned, put_entries, run_hot, run_once)
from sandbox import CLIENT_V4, CLIENT_V6, NODE_V4, NODE_V6, Broken, inside
from table import Section, difference, figure, ratio

BATCHES, RUNS = 100, 10_000
MANY_FLOWS = 100_000
LIMIT_PASSING, LIMIT_FLOW = 40, 150  # ns over an empty program
AS_FAST = 1.1
FLOW_KEY, FLOW = 40, 56  # sizes in abi.h; the client's address lies at 16 in the key

STORE_BYTES, TAIL_CALL = 9, 12  # enum bpf_func_id


def restore_and_continue(frame, tail):
    """The wrapper: stores `frame` over the packet, then goes on to the only program in the array `tail`."""
    padded = frame + bytes(-len(frame) % 8)
    code = instruction(0xBF, 6, 1)  # r6 = skb
    for at in range(0, len(padded), 8):
        low, high = struct.unpack_from("<ii", padded, at)
        code += instruction(0x18, 1, immediate=low) + instruction(0, immediate=high)  # r1 = eight bytes
        code += instruction(0x7B, 10, 1, at - len(padded))
    code += instruction(0xBF, 1, 6)
    code += instruction(0xB7, 2)
    code += instruction(0xBF, 3, 10) + instruction(0x07, 3, immediate=-len(padded))
    code += instruction(0xB7, 4, immediate=len(frame)) + instruction(0xB7, 5)
    code += instruction(0x85, immediate=STORE_BYTES)
    code += instruction(0xBF, 1, 6)
    code += instruction(0x18, 2, 1, immediate=tail) + instruction(0)  # r2 = the map
    code += instruction(0xB7, 3) + instruction(0x85, immediate=TAIL_CALL)
    return code + instruction(0xB7, immediate=2) + instruction(0x95)  # not reached: TCX_DROP


class Loop:
    """One packet through one program, again and again; and through an empty one."""

    def __init__(self, frame, program, side, expected):
        self.frame = frame
        self.wrappers = [self.wrap(fd, side) for fd in (program, load_empty_program(TCX[side]))]
        self.samples = [], []
        for _ in range(2):  # the second run must see what the first one saw
            if run_once(self.wrappers[0], frame) != expected:
                raise Broken("the program makes something else of the packet than this case is about")

    def wrap(self, program, side):
        tail = bpf(MAP_CREATE, "IIII", PROG_ARRAY, 4, 4, 1)[0]
        key, value = ctypes.create_string_buffer(4), ctypes.create_string_buffer(struct.pack("<I", program), 4)
        bpf(MAP_UPDATE, "IIQQQ", tail, 0, ctypes.addressof(key), ctypes.addressof(value), 0)
        # Kernels since 6.18 want both ends of a tail call to be loaded for the same place.
        return load_program(restore_and_continue(self.frame, tail), TCX[side])

    def sample(self):
        for wrapper, samples in zip(self.wrappers, self.samples):
            samples.append(run_hot(wrapper, self.frame, RUNS))

    def figure(self, what, limit):
        line = difference(what, figure("", self.samples[0], "ns"), figure("", self.samples[1], "ns"), limit)
        line.count = len(self.samples[0])
        return line


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF


SYN, ACK = 0x02, 0x10  # RFC 9293, 3.1


def frame(source, destination, protocol, transport, checksum_at):
    """An Ethernet frame; the checksums are made right. Ends are (address, port)."""
    family = socket.AF_INET6 if ":" in source[0] else socket.AF_INET
    ends = b"".join(socket.inet_pton(family, address) for address, _ in (source, destination))
    transport, size = bytearray(transport), len(transport)
    struct.pack_into("!H", transport, checksum_at, checksum(ends + struct.pack("!II", size, protocol) + transport))
    if family == socket.AF_INET6:
        return bytes(12) + struct.pack("!HIHBB", 0x86DD, 6 << 28, size, protocol, 64) + ends + transport
    header = bytearray(struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, 0, 0x4000, 64, protocol, 0) + ends)
    struct.pack_into("!H", header, 10, checksum(header))
    return bytes(12) + struct.pack("!H", 0x0800) + header + transport


def segment(source, destination, flags=ACK):
    """A frame with an empty TCP segment."""
    tcp = struct.pack("!HHIIBBHHH", source[1], destination[1], 1, 1, 0x50, flags, 65535, 0, 0)
    return frame(source, destination, socket.IPPROTO_TCP, tcp, 16)


def datagram(source, destination, payload):
    """A frame with a UDP datagram of an even length."""
    udp = struct.pack("!HHHH", source[1], destination[1], 8 + len(payload), 0) + payload
    return frame(source, destination, socket.IPPROTO_UDP, udp, 6)


PASSING = {
    "IPv4": segment(("198.51.100.1", 40000), ("198.51.100.2", 5000)),
    "IPv6": segment(("2001:db8::1", 40000), ("2001:db8::2", 5000)),
}


class Connection:
    """An open connection from the node's client to a pod behind node port 8000, and its packets."""

    def __init__(self, node, pod, family):
        v6 = family == "IPv6"
        self.node, self.pod = (NODE_V6 if v6 else NODE_V4, 8000), (pod.v6 if v6 else pod.v4, 9000)
        with inside(pod.netns):
            self.listener = socket.create_server(self.pod, family=socket.AF_INET6 if v6 else socket.AF_INET)
        with inside(node.client):
            self.socket = socket.create_connection(self.node, timeout=5)
        self.accepted, _ = self.listener.accept()
        self.client = CLIENT_V6 if v6 else CLIENT_V4, self.socket.getsockname()[1]

    def frames(self, side):
        """(as it arrives at the program, as it leaves)"""
        if side == "in":
            return segment(self.client, self.node), segment(self.client, self.pod)
        return segment(self.pod, self.client), segment(self.node, self.client)

    def close(self):
        for end in self.socket, self.accepted, self.listener:
            end.close()


class Datagrams:
    """The same of datagrams that aren't QUIC's: DNS questions, say, and answers."""

    QUESTION = bytes.fromhex("12340100000100000000000003777777076578616d706c6503636f6d0000010001ff")

    def __init__(self, node, pod, family):
        v6 = family == "IPv6"
        kind = (socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
        self.node, self.pod = (NODE_V6 if v6 else NODE_V4, 8000), (pod.v6 if v6 else pod.v4, 9000)
        with inside(pod.netns):
            self.server = socket.socket(*kind)
        with inside(node.client):
            self.socket = socket.socket(*kind)
        for end in self.server, self.socket:
            end.settimeout(5)
        self.server.bind(self.pod)
        self.socket.connect(self.node)
        for _ in range(2):
            self.socket.send(self.QUESTION)
            self.server.sendto(*self.server.recvfrom(2048))
            self.socket.recv(2048)
        self.client = CLIENT_V6 if v6 else CLIENT_V4, self.socket.getsockname()[1]

    def frames(self, side):
        def from_to(source, destination):
            return datagram(source, destination, self.QUESTION)
        if side == "in":
            return from_to(self.client, self.node), from_to(self.client, self.pod)
        return from_to(self.pod, self.client), from_to(self.node, self.client)

    def close(self):
        for end in self.socket, self.server:
            end.close()


def fill_flows(node, pod):
    """Copies an established flow of the node to as many made-up clients."""
    connection = Connection(node, pod, "IPv4")
    table = open_pinned(f"{node.directory}/bpffs/sallyport/maps/flows_established")
    entry = first_entry(table, FLOW_KEY, FLOW)
    if not entry:
        raise Broken("no established flow to copy")
    key, value = entry
    for start in range(0, MANY_FLOWS, 10_000):
        clients = range(0x0B000000 + start, 0x0B000000 + start + 10_000)
        put_entries(table, [key[:28] + struct.pack("!I", client) + key[32:] for client in clients], [value] * len(clients))
    os.close(table)
    connection.close()


def compared(what, loops, limit):
    """`loops`: {which node: Loop}; the first is what the others are held against."""
    base, *others = [(which, loop.figure(f"{what}, {which}", limit)) for which, loop in loops.items()]
    yield base[1]
    for which, line in others:
        yield line
        yield ratio(f"  against {base[0]}", line, base[1], AS_FAST)


def hot_section(nodes, chains):
    """As in `per_packet`. To be called while the kernel doesn't count."""
    connections = {(family, which): Connection(*nodes[which], family) for family in PASSING for which in nodes}
    loops = {}
    for family, side, which in product(PASSING, TCX, nodes):
        program = chains[which].programs[side][0]
        passing = PASSING[family]
        before, after = connections[family, which].frames(side)
        loops.setdefault(("not for us", family, side), {})[which] = Loop(passing, program, side, passing)
        loops.setdefault(("established flow", family, side), {})[which] = Loop(before, program, side, after)
    for _ in range(BATCHES):
        for one in loops.values():
            for loop in one.values():
                loop.sample()
    for connection in connections.values():
        connection.close()

    lines = [Section(f"The same in a loop, with everything in the caches (TCP); a run is {RUNS:,} packets")]
    for what, limit in ("not for us", LIMIT_PASSING), ("established flow", LIMIT_FLOW):
        for family, side in product(PASSING, TCX):
            lines += compared(f"{what}, {family}, {side}", loops[what, family, side], limit)
    return lines
