# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""conf/ as an operator applies it, and conf/gateways/ as they are."""

import gateway
from cluster import SOURCE, Load, apply, environment, expect, kubectl, on, pods, rolled_out, run, urls, wait

NAMESPACES = ["gateway", "shop", "rival", "third"]
CLEANED = [*NAMESPACES[1:], "stranger"]  # after each scenario
ROLLOUTS = environment("ROLLOUTS", 3)

KUSTOMIZATION = """
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [sallyport/conf]
patches:
  - patch: |-
      apiVersion: v1
      kind: ConfigMap
      metadata: { name: sallyport-config, namespace: sallyport-system }
      data:
        config.json: |
          { "gateways": { "namespaces": %s, "ports": [80, 443, "8080-8099"] }, "logFile": "/var/log/sallyport/sallyport.log" }
"""


def own_kustomization(directory):
    """As conf/README.md describes it: a folder beside a checkout."""
    directory.mkdir(exist_ok=True)
    link = directory / "sallyport"
    if not link.exists():
        run("cp", "-r", SOURCE / "conf", directory / "conf.new")
        link.mkdir()
        (directory / "conf.new").rename(link / "conf")
    (directory / "kustomization.yaml").write_text(KUSTOMIZATION % str(NAMESPACES).replace("'", '"'))
    return directory


def install(directory):
    """`kubectl apply -k`, as conf/README.md says: the agents are Ready; a second one says \"unchanged\""""
    where = own_kustomization(directory)
    kubectl("apply", "-k", where)
    rolled_out("daemonset", "sallyport", "sallyport-system")
    apply(*(gateway.namespace(name) for name in NAMESPACES[1:]), gateway.namespace("stranger", allowed=False))
    apply(*(gateway.configuration(name) for name in (*NAMESPACES[1:], "stranger")))
    again = kubectl("apply", "-k", where)
    changed = [line for line in again.splitlines() if not line.endswith("unchanged")]
    expect(not changed, f"a second apply changes: {changed}")


def commands_of(example):
    """What the example's own comment tells to run before it: its lines that begin with kubectl."""
    with open(SOURCE / "conf/gateways" / example) as file:
        comment = [line[1:].strip() for line in file if line.startswith("#")]
    return [line.replace("<node>", "--all") for line in comment if line.startswith("kubectl ")]


def certificate(directory):
    run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=gateway",
        "-keyout", directory / "tls.key", "-out", directory / "tls.crt")


def example(directory, name):
    """Applied by its own comment's commands, rolled over: no request fails, new or kept"""
    certificate(directory)
    for command in commands_of(f"{name}.yaml"):
        words = command.replace("tls.crt", str(directory / "tls.crt")).replace("tls.key", str(directory / "tls.key")).split()[1:]
        kubectl(*words)
    rolled_out("deployment", name, "gateway")
    targets = urls("node-1", 80) + urls("node-2", 80) + urls("node-1", 443, "https") + urls("node-2", 443, "https")
    with Load(targets, "--kept=2", "--new=1", "--pause=0.05") as load:
        for _ in range(ROLLOUTS):
            kubectl("-n", "gateway", "rollout", "restart", f"deployment/{name}")
            rolled_out("deployment", name, "gateway", 300)
            wait("the old pods have gone", lambda: len(pods("gateway", name)) == 2, 120)
    hello = on("client", "curl", "-skf", urls("node-1", 443, "https")[0])
    client = on("client", "sh", "-c", "ip -br -4 address show scope global").split()
    expect(any(word.split("/")[0] in hello for word in client if "." in word), f"the gateway sees another client: {hello}")
    kubectl("delete", "-f", SOURCE / f"conf/gateways/{name}.yaml", "--timeout=120s", timeout=150)
    return load
