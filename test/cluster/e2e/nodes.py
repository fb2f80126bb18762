# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""What happens to nodes: restarts, upgrades, power, and the end. The other node notices nothing."""
import time

import gateway
import images
from cluster import (SOURCE, Load, agent_of, apply, clean, expect, is_ready, kubectl, on, pods, rolled_out, run, urls, wait)

SHOP = "shop"
PORT = 8082
BINARY = "/opt/cni/bin/sallyport"


def on_both_nodes():
    apply(gateway.daemonset(SHOP, "steady", f"{PORT}:9080"))
    rolled_out("daemonset", "steady", SHOP)
    return urls("node-1", PORT) + urls("node-2", PORT)


def agents_are_ready():
    return all(agent and is_ready(agent) for agent in map(agent_of, ("node-1", "node-2")))


def agent_kill():
    """The agent is killed (SIGKILL) three times: no request fails, and it is Ready again"""
    with Load(on_both_nodes(), "--kept=2", "--new=1") as load:
        for _ in range(3):
            before = restarts()
            on("node-1", "pkill", "-KILL", "-f", "^/sallyport agent")
            wait("it was restarted", lambda before=before: restarts() > before and agents_are_ready(), 180)
    return load


def restarts():
    return agent_of("node-1")["status"]["containerStatuses"][0]["restartCount"]


def set_image(tag):
    kubectl("-n", "sallyport-system", "set", "image", "daemonset/sallyport", f"agent=sallyport:{tag}")


def image_rollout():
    """The agents' image is another build: programs are replaced, tables stay, no request fails"""
    targets = on_both_nodes()
    before = on("node-1", "sha256sum", BINARY)
    tag = images.other_build()
    with Load(targets, "--kept=2", "--new=1") as load:
        set_image(tag)
        rolled_out("daemonset", "sallyport", "sallyport-system")
        time.sleep(2)
    expect(on("node-1", "sha256sum", BINARY) != before, "the plugin wasn't replaced")
    with Load(targets, "--kept=2", "--new=1"):
        set_image(images.OWN)  # and back
        rolled_out("daemonset", "sallyport", "sallyport-system")
    return load


def abi_upgrade():
    """An image of another ABI: the old one goes on, the agent says so; after the last gateway the new one moves in"""
    targets = on_both_nodes()
    tag = images.other_abi()
    with Load(targets, "--kept=2", "--new=1") as load:
        set_image(tag)
        ready = wait("the agent waits, and says why", lambda: "gateway pods" in not_ready("node-1") and not_ready("node-1"))
        kubectl("-n", SHOP, "rollout", "restart", "daemonset/steady")  # pods come and go as before
        rolled_out("daemonset", "steady", SHOP)
        time.sleep(gateway.PRE_STOP + 2)
    expect("ABI" in ready, f"/readyz says: {ready}")
    clean(SHOP)
    rolled_out("daemonset", "sallyport", "sallyport-system", 300)
    with Load(on_both_nodes(), "--kept=2", "--new=1") as after:
        time.sleep(2)
    expect(after.total("new")[1] == 0, f"requests fail with the new version: {after.failures()}")
    clean(SHOP)
    set_image(images.OWN)
    rolled_out("daemonset", "sallyport", "sallyport-system", 300)
    return load


def not_ready(node):
    """What /readyz says there, where it isn't 200."""
    address = urls(node, 9465)[0]
    return on("client", "sh", "-c", f"curl -s -m 5 {address}readyz || true")


def runtime_restart():
    """containerd and the kubelet are restarted, and killed: no request fails; pods come and go afterwards"""
    with Load(on_both_nodes(), "--kept=2", "--new=1") as load:
        for program in ("containerd", "kubelet"):
            for verb in ("restart", "kill"):
                run("test/cluster/service", verb, "node-1", program)
                wait("the node is Ready", node_is_ready, 120)
                time.sleep(3)
        kubectl("-n", SHOP, "rollout", "restart", "daemonset/steady")
        rolled_out("daemonset", "steady", SHOP)
        time.sleep(gateway.PRE_STOP + 2)
    return load


def node_is_ready(node="node-1"):
    return kubectl("get", "node", node, "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}") == "True"


def power_cycle():
    """A node's power fails: it answers again when it is back, and the other node's clients notice nothing"""
    on_both_nodes()
    with Load(urls("node-2", PORT), "--kept=2", "--new=1") as load:
        run("test/cluster/power", "cycle", "node-1", timeout=180)
        wait("node-1 answers again", lambda: answers("node-1"), 240)
        wait("its agent is Ready", agents_are_ready, 120)
    with Load(urls("node-1", PORT), "--kept=2", "--new=1") as after:
        time.sleep(5)
    expect(after.total("new")[1] == 0, f"requests fail after the power cycle: {after.failures()}")
    return load


def answers(node):
    return all(on("client", "sh", "-c", f"curl -gs -m 2 {url} || true") for url in urls(node, PORT))


def footprint(node):
    """All that a plugin may leave on a node, as lines."""
    return on(node, "sh", "-c", """
        for at in /opt/cni/bin /etc/cni /run/sallyport /sys/fs/bpf /var/log/sallyport; do find $at 2>/dev/null; done
        cat /etc/cni/net.d/*.conflist; tc qdisc show; bpftool net show; bpftool cgroup tree; bpftool link show""").splitlines()


def documented_steps():
    """The commands of "Uninstalling" in conf/docs/operate.md, without `kubectl` and comments."""
    text = (SOURCE / "conf/docs/operate.md").read_text()
    block = text[text.index("## Uninstalling"):].split("```")[1]
    return [line.split("#")[0].split()[1:] for line in block.splitlines() if line.startswith("kubectl ")]


def uninstall(before):
    """Uninstalled by the commands of conf/docs/operate.md: each succeeds, and the nodes are as they were, but for what it names"""
    for node, lines in before.items():
        expect(BINARY not in lines, f"{node} had Sallyport before this run; `test/cluster/down --purge` makes it new")
    for words in documented_steps():
        kubectl(*words, timeout=660)
    for node, lines in before.items():
        new = [line for line in footprint(node) if line not in lines]
        left = [line for line in new if line != "/run/sallyport" and not line.startswith("/var/log/sallyport")]
        expect(not left, f"left on {node}: {left}")


SCENARIOS = [agent_kill, image_rollout, abi_upgrade, runtime_restart, power_cycle]
