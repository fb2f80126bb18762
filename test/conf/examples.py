#!/usr/bin/python3
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""Does the plugin take every configuration and annotation under conf/, and print the anti-affinity of its examples?

examples.py BINARY CONF

A config.json is given to the plugin as its entry of a conflist, for a pod without annotations, whose previous result
must come back. Annotations are given to it for a pod whose network namespace doesn't exist: it refuses the pod for
that, after it has read the annotations and asked `gateways`. A wrong one of each kind shows that it did. Opens
nothing of the machine's.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

import yaml

PORT_LABEL = "sallyport.dev/node-port-"
VERSIONS = ("0.3.1", "1.0.0")  # of Cilium's own list: up to 1.19, and since July 2026


def result(version):
    ips = [("4", "10.0.0.7/32"), ("6", "fd00::7/128")]
    return {
        "cniVersion": version,
        "interfaces": [{"name": "lxc1"}, {"name": "eth0", "sandbox": "/nowhere/netns"}],
        "ips": [{"address": address, "interface": 1, **({"version": family} if version.startswith("0.") else {})}
                for family, address in ips],
    }


class Plugin:
    def __init__(self, binary, directory):
        self.binary, self.directory = binary, directory

    def add(self, entry, annotations, version="1.0.0"):
        """(exit status, answer)"""
        places = {key: os.path.join(self.directory, key) for key in ("bpffs", "stateDir")}
        config = {**entry, **places, "logFile": os.path.join(self.directory, "log"), "type": "sallyport",
                  "name": "pods", "cniVersion": version, "prevResult": result(version)}
        if annotations:
            config["runtimeConfig"] = {"io.kubernetes.cri.pod-annotations": annotations}
        environment = {"CNI_COMMAND": "ADD", "CNI_CONTAINERID": "example", "CNI_NETNS": "/nowhere/netns",
                       "CNI_IFNAME": "eth0", "CNI_PATH": "/nowhere",
                       "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=gateway;K8S_POD_NAME=example"}
        ended = subprocess.run([self.binary], input=json.dumps(config), env=environment, stdout=subprocess.PIPE,
                               text=True, check=False, timeout=30)
        return ended.returncode, json.loads(ended.stdout)

    def refuses_config(self, entry):
        """What is wrong with an entry, in a list of either version; None where nothing is."""
        for version in VERSIONS:
            # A plain pod's ADD doesn't judge it.
            status, answer = self.add(entry, {"sallyport.dev/hold": "0s"}, version)
            if status != 0 or answer != result(version):
                return answer.get("msg", f"another result comes back: {answer}")
        return None

    def refuses_annotations(self, annotations):
        entry = {"gateways": {"namespaces": ["*"], "ports": [80, 443]}, "addresses": ["192.0.2.10"]}
        _, answer = self.add(entry, annotations)
        if "code" not in answer:
            return "the plugin attached a pod that isn't there"
        return None if "network namespace /nowhere/netns" in answer["msg"] else f"{answer['code']}: {answer['msg']}"


def annotations_in(value):
    """Every map that has a key of ours, wherever it is: manifests, Helm values."""
    if isinstance(value, dict):
        ours = {key: text for key, text in value.items() if str(key).startswith("sallyport.dev/")}
        if ours.get("sallyport.dev/expose") == "allowed":  # a namespace's label
            del ours["sallyport.dev/expose"]
        ours = {key: text for key, text in ours.items() if not key.startswith(PORT_LABEL)}
        if ours:
            yield ours
        for member in value.values():
            yield from annotations_in(member)
    elif isinstance(value, list):
        for element in value:
            yield from annotations_in(element)


def annotations_in_text(text):
    """In comments and prose: `sallyport.dev/expose: "80:9080"`."""
    for key, value in re.findall(r'(sallyport\.dev/(?:expose|remap|share|settle|hold)): "([^"]+)"', text):
        yield {key: value, **({} if key.endswith(("expose", "remap")) else {"sallyport.dev/expose": "80:80"})}


def entries_in(value):
    """Every configuration: config.json of a ConfigMap, the sallyport entry of a conflist."""
    if isinstance(value, dict):
        if value.get("type") == "sallyport":
            yield value
        if value.get("kind") == "ConfigMap" and "config.json" in value.get("data", {}):
            yield json.loads(value["data"]["config.json"])
        for plugin in value.get("plugins", []):
            yield from entries_in(plugin)


def wrong_affinity(binary, workload):
    """Why labels and anti-affinity of a workload that has them aren't those that the tool prints; None where they are."""
    meta, spec = (workload["spec"]["template"].get(part, {}) for part in ("metadata", "spec"))
    labels = {key: text for key, text in meta.get("labels", {}).items() if key.startswith(PORT_LABEL)}
    if not labels:
        return None
    printed = subprocess.run([binary, "affinity", "--namespace", workload["metadata"]["namespace"],
                              meta["annotations"]["sallyport.dev/expose"]], stdout=subprocess.PIPE, check=True, timeout=30)
    wanted = yaml.safe_load(printed.stdout)["spec"]["template"]
    if labels != wanted["metadata"]["labels"] or spec.get("affinity") != wanted["spec"]["affinity"]:
        return "labels or anti-affinity aren't those of `sallyport affinity`"
    return None


def read(path):
    with open(path) as file:
        text = file.read()
    if path.endswith((".conflist", ".example")):
        return text, [json.loads(text)]
    return text, list(yaml.safe_load_all(text)) if path.endswith(".yaml") else []


def main():
    binary, conf = sys.argv[1:]
    problems, entries, annotations, guarded = [], 0, 0, 0
    with tempfile.TemporaryDirectory() as directory:
        plugin = Plugin(binary, directory)
        assert plugin.refuses_config({"gateways": {"ports": [0]}}), "a wrong configuration isn't refused"
        assert plugin.refuses_annotations({"sallyport.dev/expose": "80"}), "a wrong annotation isn't refused"
        for folder, _, names in sorted(os.walk(conf)):
            for name in sorted(names):
                path = os.path.join(folder, name)
                if not name.endswith((".yaml", ".conflist", ".example", ".md")):
                    continue
                text, documents = read(path)
                workloads = [document for document in documents if "template" in (document or {}).get("spec", {})]
                guarded += sum(PORT_LABEL in str(workload) for workload in workloads)
                problems += [f"{path}: {why}" for why in (wrong_affinity(binary, each) for each in workloads) if why]
                found = [entry for document in documents for entry in entries_in(document)]
                asked = [*annotations_in(documents), *annotations_in_text(text)]
                entries, annotations = entries + len(found), annotations + len(asked)
                problems += [f"{path}: {why}" for why in map(plugin.refuses_config, found) if why]
                problems += [f"{path}: {why}" for why in map(plugin.refuses_annotations, asked) if why]
    assert entries >= 4 and annotations >= 8 and guarded >= 1, \
        f"found only {entries} configurations, {annotations} sets of annotations, {guarded} anti-affinities"
    print("\n".join([*problems, f"{entries} configurations, {annotations} sets of annotations"]))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
