# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""The cluster of test/cluster/up, as its admin sees it: commands, objects, waiting."""
import json
import os
import pathlib
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parents[2]
NODES = ("node-1", "node-2")


class Unexpected(Exception):
    """What a scenario found that isn't what was promised."""


def expect(condition, what):
    if not condition:
        raise Unexpected(what)


def run(*words, text=None, stdin=None, timeout=120, check=True):
    """stdout of a command, whose stdin is a text or a file; throws what it said where it fails."""
    words = [str(word) for word in words]
    with open(stdin or "/dev/null", "rb") as file:
        given = {"input": text.encode()} if text is not None else {"stdin": file}
        try:
            ended = subprocess.run(words, **given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, timeout=timeout,
                                   cwd=SOURCE)
        except subprocess.TimeoutExpired as expired:
            raise Unexpected(f"{' '.join(words)}: no end after {timeout} s") from expired
    out, err = ended.stdout.decode(), ended.stderr.decode()
    if check and ended.returncode != 0:
        raise Unexpected(f"{' '.join(words)}: exit {ended.returncode}: {err.strip()} {out.strip()}")
    return out


def kubectl(*words, **options):
    return run("test/cluster/kubectl", *words, **options)


def on(node, *words, **options):
    """On a node, or as `client`, outside of all."""
    return run("test/cluster/in", node, *words, **options)


def apply(*objects):
    kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def get(kind, *words):
    return json.loads(kubectl("get", kind, "-o", "json", *words))


def pods(namespace, name):
    """Those of one gateway, the oldest first."""
    items = get("pods", "-n", namespace, "-l", f"app.kubernetes.io/name={name}")["items"]
    return sorted(items, key=lambda pod: pod["metadata"]["creationTimestamp"])


def is_ready(pod):
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))


def wait(what, holds, seconds=120):
    """Until it holds; returns what it said, and throws after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        value = holds()
        if value:
            return value
        if time.monotonic() > end:
            raise Unexpected(f"{seconds} s, and still not: {what}")
        time.sleep(0.3)


def clean(*namespaces):
    """Deletes all workloads there, and waits until their pods have gone."""
    for where in namespaces:
        kubectl("-n", where, "delete", "deployments,daemonsets,pods", "--all", "--grace-period=1", "--timeout=90s")
        wait(f"no pod in {where}", lambda where=where: not get("pods", "-n", where)["items"])


def rolled_out(kind, name, namespace, seconds=180):
    kubectl("-n", namespace, "rollout", "status", f"{kind}/{name}", f"--timeout={seconds}s", timeout=seconds + 30)


def addresses(node):
    """Of both families, IPv4 first."""
    found = [each["address"] for each in get("node", node)["status"]["addresses"] if each["type"] == "InternalIP"]
    return sorted(found, key=lambda address: ":" in address)


def urls(node, port, scheme="http"):
    return [f"{scheme}://{f'[{address}]' if ':' in address else address}:{port}/" for address in addresses(node)]


def agent_of(node):
    """The agent's pod there; None while there is none."""
    items = get("pods", "-n", "sallyport-system", "-l", "app.kubernetes.io/component=agent",
                f"--field-selector=spec.nodeName={node}")["items"]
    living = [pod for pod in items if "deletionTimestamp" not in pod["metadata"]]
    return living[0] if living else None


def metric(node, name):
    """The sum of a family's samples."""
    text = on("client", "curl", "-sf", "-m", "5", f"http://{addresses(node)[0]}:9465/metrics")
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith((name + " ", name + "{")))


class Load:
    """load.py in the client's network, while a block runs; `new` and `kept` afterwards: (asked, failed)."""

    def __init__(self, targets, *options):
        self.targets, self.options, self.results = targets, options, {}

    def __enter__(self):
        self.process = subprocess.Popen(
            ["test/cluster/in", "client", "python3", str(HERE / "load.py"), *self.options, *self.targets], cwd=SOURCE,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            self.process.stdin.close()
            answer = self.process.stdout.read()
            self.process.wait()
            raise Unexpected(f"no answer from {' '.join(self.targets)} before anything was done: {answer}")
        return self

    def __exit__(self, kind, error, trace):
        self.process.stdin.close()
        self.results = json.loads(self.process.stdout.read())
        self.process.wait()

    def total(self, kind):
        chosen = [each for name, each in self.results.items() if name.startswith(kind)]
        return sum(each["asked"] for each in chosen), sum(sum(each["failed"].values()) for each in chosen)

    def answered(self, kind="new"):
        """Who answered how often."""
        total = {}
        for name, each in self.results.items():
            if name.startswith(kind):
                for who, number in each["answered"].items():
                    total[who] = total.get(who, 0) + number
        return total

    def failures(self):
        return {name: {"failed": each["failed"], "at": each["failedAt"]}
                for name, each in self.results.items() if each["failed"]}


def log(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def environment(name, default):
    return int(os.environ.get(name, default))
