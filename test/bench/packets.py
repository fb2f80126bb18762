# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""What a packet costs, while two sockets play ping-pong through the node: the kernel's own count of runs and nanoseconds
of each program (BPF_ENABLE_STATS), less that of an empty program next to it in the same chain, which is the counting.
A packet at a time, between two processes that take turns, finds the caches cold: the most that a packet costs.

The least is in hot.py: one packet in a loop."""
import ctypes
import os
import signal
import socket
import time

from bpf import ENABLE_STATS, LINK_CREATE, PROG_GET_FD_BY_ID, PROG_QUERY, TCX, bpf, info, load_empty_program
from hot import hot_section
from sandbox import NODE_V4, Broken, inside
from table import Section, Skipped, difference, figure

ROUNDS = 5
SLICES = 6  # a round's
SLICE = 0.1  # seconds

OURS = {"in": b"node_ingress", "out": b"node_egress"}


def find_ours(ifindex, side):
    ids = (ctypes.c_uint32 * 64)()
    _, answer = bpf(PROG_QUERY, "IIIIQII", ifindex, TCX[side], 0, 0, ctypes.addressof(ids), len(ids), 0)
    for identity in ids[:int.from_bytes(answer[24:28], "little")]:
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


def live_section(nodes, chains):
    title = Section("Our programs' time per packet (TCP over IPv4), less an empty program's; a run is 0.1 s of traffic")
    try:
        stats = bpf(ENABLE_STATS, "I", 0)[0]  # counting ends with this descriptor, also when the bench is killed
    except OSError as error:
        return [title, Skipped("with real traffic", f"the kernel doesn't count ({error})")]
    try:
        return [title, *live_lines(nodes, chains)]
    finally:
        os.close(stats)


def per_packet(nodes):
    """`nodes`: {what it has: (node, its pod behind port 8000)}; the first is what the others are held against."""
    try:
        chains = {count: Chain(node) for count, (node, _) in nodes.items()}
    except OSError as error:
        return [Section("Our programs' time per packet"), Skipped("time per packet", f"no tcx ({error})")]
    return [*live_section(nodes, chains), *hot_section(nodes, chains)]
