# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""Pods of one gateway come, go and change: what a client notices of it."""
import time

import gateway
from cluster import (Load, apply, environment, expect, is_ready, kubectl, on, pods, rolled_out, urls, wait)

SHOP = "shop"
PORT = 8080
ROLLOUTS = environment("ROLLOUTS", 3)


def run_gateway(workload):
    """Its name, once it runs."""
    kind, name = workload["kind"].lower(), workload["metadata"]["name"]
    apply(workload)
    rolled_out(kind, name, SHOP)
    return name


def restart(kind, name, times=1):
    for _ in range(times):
        kubectl("-n", SHOP, "rollout", "restart", f"{kind}/{name}")
        rolled_out(kind, name, SHOP)
        wait("the old pods have gone", lambda: not any("deletionTimestamp" in pod["metadata"] for pod in pods(SHOP, name)))


def rolling_update():
    """Deployment, maxSurge 1: no request fails"""
    name = run_gateway(gateway.deployment(SHOP, "rolling", f"{PORT}:9080", node="node-1"))
    with Load(urls("node-1", PORT)) as load:
        restart("deployment", name, ROLLOUTS)
    return load


def daemonset_surge():
    """DaemonSet, maxSurge 1, on both nodes: no request fails"""
    name = run_gateway(gateway.daemonset(SHOP, "everywhere", f"{PORT}:9080"))
    with Load(urls("node-1", PORT) + urls("node-2", PORT), "--kept=2", "--new=1") as load:
        restart("daemonset", name, ROLLOUTS)
    return load


def recreate_with_hold():
    """Recreate, hold 30s: new connections wait; no request fails"""
    workload = gateway.deployment(SHOP, "recreated", f"{PORT}:9080", node="node-1", strategy={"type": "Recreate"}, hold="30s")
    name = run_gateway(workload)
    with Load(urls("node-1", PORT), "--timeout=40") as load:
        restart("deployment", name, ROLLOUTS)
    return load


def spread():
    """Three pods that share by `spread`, rolled over: each takes a part; no request fails"""
    workload = gateway.deployment(SHOP, "spread", f"{PORT}:9080", node="node-1", replicas=3, share="spread")
    name = run_gateway(workload)
    with Load(urls("node-1", PORT), "--names") as load:
        time.sleep(3)
        restart("deployment", name)
    answered = load.answered()
    expect(len(answered) == 6 and min(answered.values()) >= 10, f"not all of three and three pods took their part: {answered}")
    return load


def scale_down():
    """From three pods to one: no request fails"""
    name = run_gateway(gateway.deployment(SHOP, "scaled", f"{PORT}:9080", node="node-1", replicas=3))
    with Load(urls("node-1", PORT)) as load:
        kubectl("-n", SHOP, "scale", "deployment", name, "--replicas=1")
        wait("one pod is left", lambda: len(pods(SHOP, name)) == 1)
    return load


def delete_force():
    """`kubectl delete --force` of the pod that takes: only what it had in hand is lost"""
    name = run_gateway(gateway.deployment(SHOP, "forced", f"{PORT}:9080", node="node-1", replicas=2))
    with Load(urls("node-1", PORT), "--kept=4", "--new=2", "--names") as load:
        kubectl("-n", SHOP, "delete", "pod", pods(SHOP, name)[-1]["metadata"]["name"], "--force", "--grace-period=0")
        rolled_out("deployment", name, SHOP)
        time.sleep(3)
    load.may_fail = {"new": 4, "kept": 8}  # one for each client that was in the middle of something
    return load


def crash_loop():
    """An update whose pods listen for a moment and end, again and again: nobody is sent there"""
    crashing = ["sh", "-c", "timeout 2 nginx -c /etc/nginx/gateway/nginx.conf -g 'daemon off;'; exit 1"]
    name = run_gateway(gateway.deployment(SHOP, "crashing", f"{PORT}:9080", node="node-1"))
    old = pods(SHOP, name)[0]["metadata"]["name"]
    broken = gateway.deployment(SHOP, name, f"{PORT}:9080", node="node-1", command=crashing)
    probe = broken["spec"]["template"]["spec"]["containers"][0]["readinessProbe"]
    probe["initialDelaySeconds"] = 5  # it never gets there
    with Load(urls("node-1", PORT), "--names") as load:
        apply(broken)
        wait("it crashes", lambda: any(status.get("restartCount", 0) >= 2 for pod in pods(SHOP, name)
                                       for status in pod["status"].get("containerStatuses", [])))
    expect(set(load.answered()) == {old}, f"not only {old} answered: {load.answered()}")
    return load


def unready():
    """The younger of two isn't Ready any more: the older takes over; no request fails"""
    name = run_gateway(gateway.deployment(SHOP, "unready", f"{PORT}:9080", node="node-1", replicas=2))
    older, younger = (pod["metadata"]["name"] for pod in pods(SHOP, name))
    with Load(urls("node-1", PORT), "--names") as before:
        kubectl("-n", SHOP, "exec", younger, "--", "touch", "/tmp/unready")
        wait("it isn't Ready", lambda: not all(is_ready(pod) for pod in pods(SHOP, name)))
        time.sleep(1)
    with Load(urls("node-1", PORT), "--names") as load:
        time.sleep(3)
    expect(before.total("new")[1] == 0, f"requests failed while it happened: {before.failures()}")
    expect(set(load.answered()) == {older}, f"not only {older} answered: {load.answered()}")
    return load


def ending():
    """A pod that ends slowly gets no new connection, and keeps those it has"""
    workload = gateway.deployment(SHOP, "ending", f"{PORT}:9080", node="node-1", replicas=2, pre_stop=15)
    name = run_gateway(workload)
    taker = on("client", "curl", "-sf", "-m", "5", urls("node-1", PORT)[0]).split()[-1]
    kubectl("-n", SHOP, "delete", "pod", taker, "--wait=false")
    time.sleep(1)
    with Load(urls("node-1", PORT), "--names") as load:
        time.sleep(5)
        expect(any(pod["metadata"]["name"] == taker for pod in pods(SHOP, name)), f"{taker} didn't end slowly")
    expect(taker not in load.answered(), f"{taker} was told to end, and took new connections: {load.answered()}")
    return load


SCENARIOS = [rolling_update, daemonset_surge, recreate_with_hold, spread, scale_down, delete_force, crash_loop, unready, ending]
