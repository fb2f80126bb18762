#!/usr/bin/python3
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""Do an agent's and an uninstaller's DaemonSet agree?

places.py NAME AGENT UNINSTALLER

Both files are rendered kustomizations; NAME is for messages.
"""
import json
import os.path
import sys

import yaml

# Where a host has a link, and runtimes name what it leads from.
ALIASES = {"/var/run/netns": "/run/netns"}
# What the configuration names, and the mount that it must be under; defaults are the plugin's.
PATHS = {"bpffs": "/sys/fs/bpf", "cgroup": "/sys/fs/cgroup", "stateDir": "/run/sallyport",
         "logFile": "/var/log/sallyport.log"}
# Of one of the two alone.
OWN_OPTIONS = {"listen", "kubernetes", "stay"}


def read(path):
    with open(path) as file:
        documents = list(yaml.safe_load_all(file))
    pods = [document["spec"]["template"]["spec"] for document in documents if document["kind"] == "DaemonSet"]
    configurations = [json.loads(document["data"]["config.json"]) for document in documents
                      if document["kind"] == "ConfigMap" and "config.json" in document["data"]]
    return pods[0], configurations


def options_of(container):
    return dict(option.lstrip("-").partition("=")[::2] for option in container["args"][1:])


def mounts_of(pod, container):
    """where in the container -> (where on the host, the rest of the mount)"""
    hosts = {volume["name"]: volume.get("hostPath", {}).get("path") for volume in pod["volumes"]}
    return {mount["mountPath"]: (hosts[mount["name"]], {key: mount[key] for key in mount if key != "name"})
            for mount in container["volumeMounts"]}


def is_mounted(path, mounts):
    return any(host and os.path.commonpath([path, place]) == place for place, (host, _) in mounts.items())


def check_container(pod, container):
    mounts, options = mounts_of(pod, container), options_of(container)
    for place, (host, _) in mounts.items():
        if host not in (None, ALIASES.get(place, place)):
            yield f"{host} of the host is at {place}"
    for option in ("cni-bin-dir", "cni-conf-dir"):
        if options.get(option) not in mounts:
            yield f"--{option}={options.get(option)} isn't mounted"
    if not any(place == "/etc/sallyport" and not host for place, (host, _) in mounts.items()) or \
            options.get("config") != "/etc/sallyport/config.json":
        yield f"--config={options.get('config')} isn't mounted"


def check(agent, uninstaller, configuration):
    main, *others = agent["containers"]
    if others or "initContainers" in agent:
        yield "the agent's pod has other containers"
    for key, default in PATHS.items():
        path = configuration.get(key, default)
        path = os.path.dirname(path) if key == "logFile" else path
        if not is_mounted(path, mounts_of(agent, main)):
            yield f"{key}: {path} isn't mounted"
    yield from check_container(agent, main)
    for container in uninstaller["initContainers"] + uninstaller["containers"]:
        for problem in check_container(uninstaller, container):
            yield f"{container['name']}: {problem}"
        if mounts_of(agent, main) != mounts_of(uninstaller, container):
            yield f"{container['name']}: other mounts than the agent's"
        for key in ("image", "securityContext"):
            if main[key] != container[key]:
                yield f"{container['name']}: another {key} than the agent's"
        ours, theirs = options_of(main), options_of(container)
        for option in sorted((set(ours) | set(theirs)) - OWN_OPTIONS):
            if ours.get(option) != theirs.get(option):
                yield f"{container['name']}: --{option}={theirs.get(option)}, where the agent has {ours.get(option)}"


def main():
    name, agent, uninstaller = sys.argv[1:]
    (agent, configurations), (uninstaller, _) = read(agent), read(uninstaller)
    problems = list(check(agent, uninstaller, configurations[0]))
    for problem in problems:
        print(f"{name}: {problem}")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
