#!/usr/bin/env python3
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""The container runtime's part, as libcni plays it: calls the plugins of a conflist for one pod.

chain.py ADD <conflist> <namespace> <pod> <expose>
chain.py DEL <conflist> - <pod>

Prints the last result, or the failed plugin's error (exit status 1); on stderr, who was called and how long it took.
"""
import json
import os
import subprocess
import sys
import time

CACHE = "/run/demo/cache"


def call(command, conflist, plugin, pod, previous):
    config = dict(plugin, name=conflist["name"], cniVersion=conflist["cniVersion"])
    if previous is not None:
        config["prevResult"] = previous
    offered = {"io.kubernetes.cri.pod-annotations": pod["annotations"]}
    runtime_config = {key: value for key, value in offered.items() if plugin.get("capabilities", {}).get(key)}
    if runtime_config:
        config["runtimeConfig"] = runtime_config
    environment = {
        "PATH": os.environ["PATH"],
        "CNI_COMMAND": command,
        "CNI_PATH": "/usr/lib/cni",
        "CNI_CONTAINERID": "container-of-" + pod["name"],
        "CNI_NETNS": "/run/netns/" + pod["name"],
        "CNI_IFNAME": "eth0",
        "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE={namespace};K8S_POD_NAME={name}".format(**pod),
    }
    own = plugin["type"] == "sallyport"
    binary = os.environ["SALLYPORT_BIN"] if own else "/usr/lib/cni/" + plugin["type"]
    start = time.monotonic()
    ended = subprocess.run([binary], input=json.dumps(config), env=environment, stdout=subprocess.PIPE, text=True)
    took = (time.monotonic() - start) * 1000
    print(f"{command} {pod['namespace']}/{pod['name']}: {plugin['type']}, {took:.0f} ms", file=sys.stderr)
    if ended.returncode != 0:
        print(ended.stdout.strip())
        sys.exit(1)
    return json.loads(ended.stdout) if ended.stdout else None


def main():
    command, path, namespace, name = sys.argv[1:5]
    with open(path) as file:
        conflist = json.load(file)
    cache = os.path.join(CACHE, name)
    if command == "ADD":
        pod = {"namespace": namespace, "name": name, "annotations": {"sallyport.dev/expose": sys.argv[5]}}
        os.makedirs(CACHE, exist_ok=True)
        with open(cache, "w") as file:
            json.dump({"pod": pod, "result": None}, file)
        result = None
        for plugin in conflist["plugins"]:
            result = call(command, conflist, plugin, pod, result)
        with open(cache, "w") as file:
            json.dump({"pod": pod, "result": result}, file)
        print(json.dumps(result))
    else:
        with open(cache) as file:
            cached = json.load(file)
        for plugin in reversed(conflist["plugins"]):
            call(command, conflist, plugin, cached["pod"], cached["result"])


main()
