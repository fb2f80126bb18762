# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""What a packet costs, while two sockets play ping-pong through the node: the kernel's own count of runs and nanoseconds
of each program (BPF_ENABLE_STATS), less that of an empty program next to it in the same chain, which is the counting.
A packet at a time, between two processes that take turns, finds the caches cold: the most that a packet costs.

The least is "hot": one packet in a loop (BPF_PROG_TEST_RUN). That works for one that isn't for us and comes out as it
went in. An established flow's can't be repeated: the second run would be about the packet that the first rewrote."""
import ctypes
import os
import platform
import signal
import socket
import struct
import time

from sandbox import NODE_V4, Broken, inside, libc
from table import Section, Skipped, difference, figure

ROUNDS = 5
SLICES = 6  # a round's
SLICE = 0.1  # seconds
HOT_BATCHES, HOT_RUNS = 20, 100_000

SYS_BPF = {"x86_64": 321}.get(platform.machine(), 280)
PROG_LOAD, PROG_TEST_RUN, PROG_GET_FD_BY_ID, OBJ_GET_INFO_BY_FD, PROG_QUERY = 5, 10, 13, 15, 16
LINK_CREATE, ENABLE_STATS = 28, 32
SCHED_CLS = 3
TCX = {"in": 46, "out": 47}  # enum bpf_attach_type, since kernel 6.6
OURS = {"in": b"node_ingress", "out": b"node_egress"}
RETURN_NEXT = struct.pack("<BBhiBBhi", 0xB7, 0, 0, -1, 0x95, 0, 0, 0)  # r0 = TCX_NEXT; exit


def bpf(command, layout, *values):
    """The system call. Returns its result and its attributes as they are afterwards."""
    attributes = ctypes.create_string_buffer(struct.pack("<" + layout, *values), 144)
    result = libc.syscall(SYS_BPF, command, attributes, len(attributes))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf command {command}")
    return result, attributes


def load_empty_program():
    code, licence = ctypes.create_string_buffer(RETURN_NEXT), ctypes.create_string_buffer(b"GPL")
    values = SCHED_CLS, len(RETURN_NEXT) // 8, ctypes.addressof(code), ctypes.addressof(licence)
    return bpf(PROG_LOAD, "IIQQ", *values)[0]


def info(program):
    """Name, nanoseconds, runs."""
    data = ctypes.create_string_buffer(256)
    bpf(OBJ_GET_INFO_BY_FD, "IIQ", program, len(data), ctypes.addressof(data))
    return data.raw[64:80].rstrip(b"\0"), *struct.unpack_from("<QQ", data, 192)


def find_ours(ifindex, side):
    ids = (ctypes.c_uint32 * 64)()
    _, answer = bpf(PROG_QUERY, "IIIIQII", ifindex, TCX[side], 0, 0, ctypes.addressof(ids), len(ids), 0)
    for identity in ids[:struct.unpack_from("<I", answer, 24)[0]]:
        program = bpf(PROG_GET_FD_BY_ID, "I", identity)[0]
        if info(program)[0] == OURS[side]:
            return program
        os.close(program)
    raise Broken(f"{OURS[side].decode()} isn't attached to eth0")


class Chain:
    """Our programs on a node's outside device, each with an empty one at the end of its chain."""

    def __init__(self, node):
        self.programs = {}
        with inside(node.name):
            ifindex = socket.if_nametoindex("eth0")
            for side, attach_type in TCX.items():
                empty = load_empty_program()
                # The link's descriptor stays open to the end of the bench, and the program attached as long.
                bpf(LINK_CREATE, "IIIIIIQ", empty, ifindex, attach_type, 0, 0, 0, 0)
                self.programs[side] = find_ours(ifindex, side), empty

    def slice(self):
        """{side: (ns per packet of ours, of the empty program)} over the next slice of time."""
        before = {fd: info(fd) for pair in self.programs.values() for fd in pair}
        time.sleep(SLICE)
        costs = {}
        for side, pair in self.programs.items():
            cost = []
            for fd in pair:
                _, nanoseconds, runs = info(fd)
                if runs - before[fd][2] < 100:
                    raise Broken("too few packets pass eth0")
                cost.append((nanoseconds - before[fd][1]) / (runs - before[fd][2]))
            costs[side] = cost
        return costs


def run_hot(program, frame):
    """Nanoseconds a run, of many runs of one program on one packet."""
    packet = ctypes.create_string_buffer(frame, len(frame))
    values = program, 0, len(frame), 0, ctypes.addressof(packet), 0, HOT_RUNS, 0
    _, answer = bpf(PROG_TEST_RUN, "IIIIQQII", *values)
    return struct.unpack_from("<I", answer, 36)[0]


def passing_frame():
    """A TCP segment over IPv4 between two hosts that are none of ours; checksums aren't looked at."""
    ends = socket.inet_aton("198.51.100.1") + socket.inet_aton("198.51.100.2")
    return (bytes(12) + struct.pack("!H", 0x0800) + struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0x4000, 64, 6, 0) + ends +
            struct.pack("!HHIIBBHHH", 40000, 5000, 1, 1, 0x50, 0x10, 65535, 0, 0))


def hot_lines(chains):
    """`chains`: {how many node ports: Chain}. To be called while the kernel doesn't count."""
    frame = passing_frame()
    samples = {(count, side): ([], []) for count in chains for side in TCX}
    for _ in range(HOT_BATCHES):
        for (count, side), both in samples.items():
            for program, costs in zip(chains[count].programs[side], both):
                costs.append(run_hot(program, frame))
    for (count, side), (ours, empty) in samples.items():
        line = difference(f"not for us, hot, {count}, {side}", figure("", ours, "ns"), figure("", empty, "ns"))
        line.count = len(ours)
        yield line


def connect(server_netns, server_port, client_netns, port):
    """Both ends of a TCP connection from the client to the node's port, where it reaches that server."""
    with inside(server_netns):
        listener = socket.create_server(("0.0.0.0", server_port))
    with inside(client_netns):
        client = socket.create_connection((NODE_V4, port), timeout=5)
    listener.settimeout(5)
    server, _ = listener.accept()
    listener.close()
    for end in client, server:
        end.settimeout(None)
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client, server


def play(end, serves):
    """A process that sends what it gets, for as long as it may live."""
    player = os.fork()
    if player == 0:
        try:
            signal.alarm(60)
            if serves:
                end.send(b"ball")
            while ball := end.recv(64):
                end.send(ball)
        finally:
            os._exit(0)
    return player


class Case:
    """One kind of packet on one node: samples for both directions."""

    def __init__(self, what, chain, ends):
        self.what, self.chain, self.ends = what, chain, ends
        self.samples = {side: ([], []) for side in TCX}

    def sample(self):
        client, server = connect(*self.ends)
        players = [play(client, True), play(server, False)]
        try:
            time.sleep(SLICE)
            for _ in range(SLICES):
                for side, pair in self.chain.slice().items():
                    for samples, cost in zip(self.samples[side], pair):
                        samples.append(cost)
        finally:
            for player in players:
                os.kill(player, signal.SIGKILL)
                os.waitpid(player, 0)
            client.close()
            server.close()

    def lines(self):
        for side, (ours, empty) in self.samples.items():
            line = difference(f"{self.what}, {side}", figure("", ours, "ns"), figure("", empty, "ns"))
            line.count = len(ours)
            yield line


def live_lines(nodes, chains):
    """As `per_packet`; `chains` as in `hot_lines`. To be called while the kernel counts."""
    cases = []
    for kind, port in ("not for us", None), ("established flow", 8000):
        for count, (node, pod) in nodes.items():
            ends = (pod.netns, 9000, node.client, port) if port else (node.name, 5000, node.client, 5000)
            cases.append(Case(f"{kind}, {count}", chains[count], ends))
    for _ in range(ROUNDS):
        for case in cases:
            case.sample()
    empty = [cost for case in cases for side in TCX for cost in case.samples[side][1]]
    yield figure("an empty program, which is the counting", empty, "ns")
    for case in cases:
        yield from case.lines()


def per_packet(nodes):
    """`nodes`: {how many node ports: (node, its pod behind port 8000)}."""
    title = Section("Our programs' time per packet (TCP over IPv4), less an empty program's; a run is 0.1 s of traffic")
    try:
        chains = {count: Chain(node) for count, (node, _) in nodes.items()}
    except OSError as error:
        return [title, Skipped("time per packet", f"no tcx ({error})")]
    hot = list(hot_lines(chains))
    try:
        stats = bpf(ENABLE_STATS, "I", 0)[0]  # counting ends with this descriptor, also when the bench is killed
    except OSError as error:
        return [title, *hot, Skipped("with real traffic", f"the kernel doesn't count ({error})")]
    try:
        return [title, *live_lines(nodes, chains), *hot]
    finally:
        os.close(stats)
