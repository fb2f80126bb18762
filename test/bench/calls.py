# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""How long the plugin's calls take. What is compared is interleaved, so that noise meets all sides alike."""
import os
import shutil
import time

from pods import portmap_pod
from sandbox import Broken, shell
from table import Section, Skipped, difference, figure, ratio

PLAIN_ROUNDS = 400
GATEWAY_ROUNDS = 80
PORTMAP_ROUNDS = 20
FIRST_ROUNDS = 15

TWO_EXPOSURES = "80:9080, 443:9443"
AS_FAST = 1.1  # what "as fast" means here, noise being what it is


def plain_pod(sallyport, node, empty_program):
    pod = sallyport.plain_pod(node)
    plain, empty = [], []
    for _ in range(PLAIN_ROUNDS):
        plain.append(pod.run("ADD"))
        empty.append(pod.run("ADD", empty_program))
    plain = figure("ADD", plain, "ms")
    empty = figure("an empty static process", empty, "ms")
    return [
        Section("A pod without our annotations"),
        plain,
        empty,
        difference("ADD, less the empty process", plain, empty, limit=2),
    ]


def first_and_last(sallyport, node):
    pod = sallyport.gateway_pod(node, TWO_EXPOSURES)
    adds, deletes = [], []
    for _ in range(FIRST_ROUNDS):
        adds.append(pod.add())
        deletes.append(pod.delete())
        time.sleep(0.05)  # the kernel frees what was removed a grace period later
    return [
        Section("The node's only gateway pod (2 exposures, dual-stack)"),
        figure("ADD, which loads the programs", adds, "ms", limit=100),
        figure("DEL, which removes them", deletes, "ms", limit=100),
    ]


class Calls:
    """Samples of ADD and DEL of one pod."""

    def __init__(self, pod):
        self.pod, self.adds, self.deletes = pod, [], []

    def sample(self):
        self.adds.append(self.pod.add())
        self.deletes.append(self.pod.delete())

    def figures(self, where, limit=None):
        return figure(f"ADD{where}", self.adds, "ms", limit), figure(f"DEL{where}", self.deletes, "ms", limit)


def portmap_calls(node):
    """(Calls or None, why not)"""
    if not shutil.which("iptables"):
        return None, "no iptables"
    if not os.access("/usr/lib/cni/portmap", os.X_OK):
        return None, "no /usr/lib/cni/portmap"
    calls = Calls(portmap_pod(node, {80: 9080, 443: 9443}))
    try:
        calls.pod.add()
        calls.pod.delete()
    except Broken as failure:
        return None, " ".join(str(failure).split())
    return calls, ""


def gateway_pod(sallyport, nodes):
    """`nodes`: few (one other gateway pod), many (1,000 exposures), crowded (250 plain pods), portmap."""
    few, many, crowded = (Calls(sallyport.gateway_pod(nodes[name], TWO_EXPOSURES)) for name in ("few", "many", "crowded"))
    portmap, why_not = portmap_calls(nodes["portmap"])
    for turn in range(GATEWAY_ROUNDS):
        few.sample()
        many.sample()
        crowded.sample()
        if portmap and turn % (GATEWAY_ROUNDS // PORTMAP_ROUNDS) == 0:
            portmap.sample()

    add, delete = few.figures("", limit=5)
    many_add, many_delete = many.figures(", 1,000 exposures on the node", limit=5)
    crowded_add, crowded_delete = crowded.figures(", 250 plain pods on the node", limit=5)
    lines = [Section("A gateway pod beside another one (2 exposures, dual-stack)"), add, delete]
    lines += [
        Section("The same, on a fuller node"),
        many_add, ratio("  against none", many_add, add, AS_FAST),
        many_delete, ratio("  against none", many_delete, delete, AS_FAST),
        crowded_add, ratio("  against none", crowded_add, add),
        crowded_delete, ratio("  against none", crowded_delete, delete),
    ]
    lines.append(Section("The same with the CNI project's portmap"))
    if not portmap:
        return lines + [Skipped("portmap", why_not)]
    portmap_add, portmap_delete = portmap.figures(f", {shell('iptables', '--version').strip()}")
    return lines + [
        portmap_add, ratio("  against ours", portmap_add, add),
        portmap_delete, ratio("  against ours", portmap_delete, delete),
    ]
