# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""What the way through the node costs: there and back again over an open connection, with the fast path and without.

Both ends are this thread: it sends, and the kernel has carried the data to the other end before the call returns, or
soon after. No scheduler and no server is in what is measured."""
import socket
import time

from sandbox import NODE_V4, NODE_V6, inside
from table import Section, figure, ratio

BATCHES, TRIPS = 500, 100
WAYS = {"through the host's stack": 8001, "fastPath": 8002}


class Trips:
    def __init__(self, node, pod, family, port):
        v6 = family == "IPv6"
        with inside(pod.netns):
            listener = socket.create_server((pod.v6 if v6 else pod.v4, 9000),
                                            family=socket.AF_INET6 if v6 else socket.AF_INET)
        with inside(node.client):
            self.client = socket.create_connection((NODE_V6 if v6 else NODE_V4, port), timeout=5)
        self.server, _ = listener.accept()
        listener.close()
        for end in self.client, self.server:
            end.settimeout(5)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.samples = []

    def sample(self):
        start = time.monotonic_ns()
        for _ in range(TRIPS):
            self.client.send(b"x")
            self.server.recv(1)
            self.server.send(b"x")
            self.client.recv(1)
        self.samples.append((time.monotonic_ns() - start) / TRIPS / 1000)

    def close(self):
        self.client.close()
        self.server.close()


def section(sallyport, node):
    """`node`: one where these are the only gateway pods."""
    pods = {way: sallyport.gateway_pod(node, f"{port}:9000", fast_path=way == "fastPath") for way, port in WAYS.items()}
    for pod in pods.values():
        pod.add()
    trips = {(family, way): Trips(node, pods[way], family, WAYS[way]) for family in ("IPv4", "IPv6") for way in WAYS}
    for _ in range(BATCHES):
        for each in trips.values():
            each.sample()
    lines = [Section(f"There and back again: one byte of TCP each way; a run is {TRIPS} trips")]
    for family in "IPv4", "IPv6":
        stack, fast = (figure(f"{family}, {way}", trips[family, way].samples, "us") for way in WAYS)
        lines += [stack, fast, ratio("  against the host's stack", fast, stack)]
    for each in trips.values():
        each.close()
    return lines
