# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""Pods that may not have what they ask for, and what their owners are told."""
import json
import pathlib
import tempfile
import time

import gateway
import images
from cluster import (Load, Unexpected, apply, expect, get, is_ready, kubectl, metric, on, pods, rolled_out, run, urls, wait)

SHOP, RIVAL, STRANGER = "shop", "rival", "stranger"
PORT = 8081


def messages(where, pod):
    return " ".join(event["message"] for event in get("events", "-n", where, f"--field-selector=involvedObject.name={pod}")["items"])


def taken_port():
    """A port of another namespace: an event names the holder; counted once; the port is free when he has gone"""
    apply(gateway.deployment(SHOP, "holder", f"{PORT}:9080", node="node-1"))
    rolled_out("deployment", "holder", SHOP)
    holder = pods(SHOP, "holder")[0]["metadata"]["name"]
    before = metric("node-1", "sallyport_conflicts_total")
    with Load(urls("node-1", PORT)) as load:
        apply(gateway.deployment(RIVAL, "late", f"{PORT}:9080", node="node-1"))
        late = wait("the rival's pod", lambda: pods(RIVAL, "late"))[0]["metadata"]["name"]
        told = wait("two tries", lambda: messages(RIVAL, late).count("sallyport") >= 1 and messages(RIVAL, late))
        time.sleep(30)  # the kubelet tries again
    for word in (f"{SHOP}/{holder}", f"{PORT}/tcp", "delete this pod"):
        expect(word in told, f"the event doesn't say {word}: {told}")
    trace = on("node-1", "/opt/cni/bin/sallyport", "trace", "--no-follow")
    expect("refus" in trace and late in trace, f"trace doesn't show that {late} was refused: {trace}")
    wait("the metric counts it", lambda: metric("node-1", "sallyport_conflicts_total") > before, 20)
    expect(metric("node-1", "sallyport_conflicts_total") == before + 1, "one pod is counted more than once")
    kubectl("-n", SHOP, "delete", "deployment", "holder")
    wait("the rival has the port", lambda: any(is_ready(pod) for pod in pods(RIVAL, "late")))
    return load


def apply_with_affinity(where, name):
    """By kustomize, as the tool's manual says."""
    patch = run(images.BINARY, "affinity", "--namespace", where, "--workload", f"Deployment/{name}", f"{PORT}:9080")
    with tempfile.TemporaryDirectory() as directory:
        folder = pathlib.Path(directory)
        (folder / "affinity.yaml").write_text(patch)
        (folder / "gateway.yaml").write_text(json.dumps(gateway.deployment(where, name, f"{PORT}:9080")))
        (folder / "kustomization.yaml").write_text("resources: [gateway.yaml]\npatches: [{path: affinity.yaml}]\n")
        kubectl("apply", "-k", folder)


def scheduler_knows():
    """Two namespaces, one port, two nodes, `sallyport affinity`: each gateway gets a node of its own; a third waits as Pending"""
    owners = [(SHOP, "first"), (RIVAL, "second"), ("third", "third")]
    for where, name in owners[:2]:
        apply_with_affinity(where, name)
        rolled_out("deployment", name, where)
    nodes = {pods(where, name)[-1]["spec"]["nodeName"] for where, name in owners[:2]}
    expect(len(nodes) == 2, f"both landed on {nodes}")
    apply_with_affinity(*owners[2])
    third = wait("the third's pod", lambda: pods("third", "third"))[0]["metadata"]["name"]
    told = wait("the scheduler's event", lambda: messages("third", third))
    expect("anti-affinity" in told, f"the scheduler doesn't say why: {told}")
    with Load(urls("node-1", PORT) + urls("node-2", PORT)) as load:  # and a rolling update still lands beside the old pod
        kubectl("-n", SHOP, "rollout", "restart", "deployment/first")
        rolled_out("deployment", "first", SHOP)
        time.sleep(gateway.PRE_STOP + 2)
    return load


def admission():
    """A namespace without the label: the API server refuses the pod and says who can allow it"""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stranger", "namespace": STRANGER},
           **gateway.pod_template("stranger", f"{PORT}:9080")}
    pod["metadata"] = {**pod["metadata"], "name": "stranger", "namespace": STRANGER}
    try:
        apply(pod)
    except Unexpected as refusal:
        expect(f"kubectl label namespace {STRANGER} sallyport.dev/expose=allowed" in str(refusal), f"it says: {refusal}")
        return None
    raise Unexpected("the pod was admitted")


def wrong_annotation():
    """An annotation that can't be read: the pod's event quotes it and shows the place"""
    apply(gateway.deployment(SHOP, "wrong", "80", node="node-1"))
    name = wait("its pod", lambda: pods(SHOP, "wrong"))[0]["metadata"]["name"]
    told = wait("its event", lambda: "sallyport" in messages(SHOP, name) and messages(SHOP, name))
    expect('item 1 "80"' in told and "write [hostIP:]hostPort:containerPort" in told, f"the event says: {told}")


def sixteen_pods():
    """Sixteen pods and maxUnavailable 0: the update can't end, and the event says why"""
    apply(gateway.deployment(SHOP, "sixteen", f"{PORT}:9080", node="node-1", replicas=16, pre_stop=1))
    rolled_out("deployment", "sixteen", SHOP, 300)
    with Load(urls("node-1", PORT)) as load:
        kubectl("-n", SHOP, "rollout", "restart", "deployment/sixteen")
        told = wait("a refusal", lambda: [event["message"] for event in get("events", "-n", SHOP)["items"]
                                          if "16 pods" in event["message"]])[0]
        kubectl("-n", SHOP, "patch", "deployment", "sixteen", "--patch",
                json.dumps({"spec": {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}}}))
        rolled_out("deployment", "sixteen", SHOP, 300)
    expect("maxUnavailable" in told, f"the event says: {told}")
    return load


SCENARIOS = [taken_port, scheduler_knows, admission, wrong_annotation, sixteen_pods]
