# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""This build beside another one, an earlier as a rule: what a change costs. Each has a node of its own kind; they take
turns, so noise meets both alike, and their ratio means something on any machine."""
import socket
import time
from itertools import product

from bpf import TCX, run_hot
from hot import PASSING, SYN, Connection, Datagrams, Loop, segment
from packets import find_ours
from sandbox import CLIENT_V4, CLIENT_V6, NODE_V4, NODE_V6, Node, inside
from table import Section, difference, figure, ratio

PODS = 16  # MAX_BACKENDS
EXPOSED = "8000:9000, 8000:9000/udp"
FIRST_ADDS, ADDS, FIRST_PACKETS, NEW_CONNECTIONS = 15, 300, 10_000, 2000
BATCHES = 200
PACKET_LIMIT, MANY_LIMIT, CALL_LIMIT = 1.05, 1.2, 1.1  # of the other's, or of one pod's
DATAGRAM_LIMIT = 10  # ns more than the other

BUILDS = "this build", "the other"


class Bench:
    """The two builds' nodes of one kind, and on each as many gateway pods at port 8000, the oldest one first."""

    def __init__(self, builds, time_exec, pods):
        self.nodes, self.pods = {}, {}
        for build, sallyport in builds.items():
            name = f"{build.replace(' ', '-')}-{pods}"
            node = self.nodes[build] = Node(name, time_exec)
            self.pods[build] = [sallyport.gateway_pod(node, EXPOSED) for _ in range(pods)]
            for pod in self.pods[build]:
                pod.add()


def compared(what, samples, unit, limit):
    """`samples`: {build: [...]}"""
    ours, other = (figure(f"{what}, {build}", samples[build], unit) for build in BUILDS)
    return [ours, other, ratio("  ratio", ours, other, limit)]


def programs_of(node):
    with inside(node.name):
        return {side: find_ours(socket.if_nametoindex("eth0"), side) for side in TCX}


def first_add(builds, time_exec):
    """Of the node's only gateway pod, again and again: the programs are loaded each time."""
    nodes = {build: Node(f"{build.replace(' ', '-')}-first", time_exec) for build in BUILDS}
    pods = {build: builds[build].gateway_pod(node, "8000:9000") for build, node in nodes.items()}
    samples = {build: [] for build in BUILDS}
    for _ in range(FIRST_ADDS):
        for build, pod in pods.items():
            samples[build].append(pod.add())
            pod.delete()
            time.sleep(0.05)  # the kernel frees what was removed a grace period later
    return compared("the node's first ADD", samples, "ms", CALL_LIMIT)


def plain_add(builds, nodes):
    pods = {build: builds[build].plain_pod(nodes[build]) for build in BUILDS}
    samples = {build: [] for build in BUILDS}
    for _ in range(ADDS):
        for build, pod in pods.items():
            samples[build].append(pod.run("ADD"))
    return compared("ADD of a plain pod", samples, "ms", CALL_LIMIT)


def hot_loops(bench, kinds):
    """{(kind, family, side): {build: Loop}} and {(build, family): (Connection, Datagrams)}, which stay open meanwhile."""
    loops, opened = {}, {}
    for build, family in product(BUILDS, PASSING):
        node = bench.nodes[build]
        pair = opened[build, family] = tuple(kind(node, bench.pods[build][0], family) for kind in (Connection, Datagrams))
        for side, program in programs_of(node).items():
            cases = {"not for us": (PASSING[family], PASSING[family]), "established flow": pair[0].frames(side),
                     "datagram": pair[1].frames(side)}
            for kind in kinds:
                frame, expected = cases[kind]
                loops.setdefault((kind, family, side), {})[build] = Loop(frame, program, side, expected)
    return loops, opened


def measure(loops):
    for _ in range(BATCHES):
        for one in loops.values():
            for loop in one.values():
                loop.sample()


def over_empty(loop):
    ours, empty = loop.samples
    return [one - other for one, other in zip(ours, empty)]


def first_packets(bench, family):
    """A client's SYN, from another port each time, on its way in."""
    node, client = (NODE_V6, CLIENT_V6) if family == "IPv6" else (NODE_V4, CLIENT_V4)
    programs = {build: programs_of(bench.nodes[build])["in"] for build in BUILDS}
    samples = {build: [] for build in BUILDS}
    for number in range(FIRST_PACKETS):
        frame = segment((client, 20_000 + number), (node, 8000), SYN)
        for build in (BUILDS, BUILDS[::-1])[number % 2]:
            samples[build].append(run_hot(programs[build], frame, 1))
    return compared(f"a first packet, {family}", samples, "ns", CALL_LIMIT)


def new_connections(bench, family, listeners):
    """connect(), by a client on a veth pair: all three packets of the handshake."""
    kind, node = (socket.AF_INET6, NODE_V6) if family == "IPv6" else (socket.AF_INET, NODE_V4)
    samples = {build: [] for build in BUILDS}
    for number in range(NEW_CONNECTIONS):
        for build in (BUILDS, BUILDS[::-1])[number % 2]:
            with inside(bench.nodes[build].client):
                client = socket.socket(kind, socket.SOCK_STREAM)
            before = time.perf_counter_ns()
            client.connect((node, 8000))
            samples[build].append((time.perf_counter_ns() - before) / 1000)
            listeners[build].accept()[0].close()
            client.close()
    return compared(f"connect(), {family}", samples, "us", CALL_LIMIT)


def section(builds, time_exec):
    """`builds`: {one of BUILDS: pods.Sallyport}"""
    one, many = Bench(builds, time_exec, 1), Bench(builds, time_exec, PODS)
    loops, opened = hot_loops(one, ("not for us", "established flow", "datagram"))
    loops_many, opened_many = hot_loops(many, ("established flow",))
    measure({**{("one", *key): value for key, value in loops.items()},
             **{("many", *key): value for key, value in loops_many.items()}})

    lines = [Section("Two builds side by side")]
    lines += first_add(builds, time_exec)
    lines += plain_add(builds, one.nodes)
    for (kind, family, side), pair in loops.items():
        samples = {build: over_empty(loop) for build, loop in pair.items()}
        lines += compared(f"{kind}, {family}, {side}", samples, "ns", None if kind == "datagram" else PACKET_LIMIT)
        if kind == "datagram":
            ours, other = (figure("", samples[build], "ns") for build in BUILDS)
            lines.append(difference("  difference", ours, other, DATAGRAM_LIMIT))
    for family in PASSING:
        lines += first_packets(one, family)
        lines += new_connections(one, family, {build: opened[build, family][0].listener for build in BUILDS})
    lines.append(Section(f"{PODS} pods at one port, the oldest has the connection"))
    for (kind, family, side), pair in loops_many.items():
        samples = {build: over_empty(loop) for build, loop in pair.items()}
        lines += compared(f"{kind}, {family}, {side}", samples, "ns", PACKET_LIMIT)
        alone = figure("", over_empty(loops[kind, family, side]["this build"]), "ns")
        lines.append(ratio("  against one pod, this build", figure("", samples["this build"], "ns"), alone, MANY_LIMIT))
    for pair in [*opened.values(), *opened_many.values()]:
        for one_end in pair:
            one_end.close()
    return lines
