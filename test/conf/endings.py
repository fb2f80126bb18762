#!/usr/bin/python3
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""Do the gateways of conf/gateways end without losing a request? By their own numbers: docs/gateways.md.

endings.py CONF

When a server closes what is idle, no connection may be idle: a busy one ends with its next response after `age`, a silent
one after `idle`, and both must be over within the pause before. Pause and the time for what still runs end within the
pod's grace period.
"""
import os
import re
import sys

import yaml

APISIX_PAUSE, APISIX_GRACE = 30, 90  # the chart's preStop, and the patch that the file asks for


def seconds(pattern, text):
    found = re.search(pattern, text)
    return int(found.group(1)) if found else None


def read(path):
    with open(path) as file:
        text = file.read()
    return text, [document for document in yaml.safe_load_all(text) if document]


def deployment_of(documents):
    spec = next(document for document in documents if document["kind"] == "Deployment")["spec"]["template"]["spec"]
    lifecycle = spec["containers"][0].get("lifecycle", {})
    command = lifecycle.get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
    return int(command[1]), spec["terminationGracePeriodSeconds"]


def config_of(documents, key):
    return next(document for document in documents if document["kind"] == "ConfigMap")["data"][key]


def nginx(path):
    _, documents = read(path)
    config = config_of(documents, "nginx.conf")
    pause, grace = deployment_of(documents)
    return {"age": seconds(r"keepalive_time (\d+)s[ ;]", config), "idle": seconds(r"keepalive_timeout (\d+)s[ ;]", config),
            "pause": pause, "rest": seconds(r"worker_shutdown_timeout (\d+)s;", config), "grace": grace}


def caddy(path):
    _, documents = read(path)
    config = config_of(documents, "Caddyfile")
    pause, grace = deployment_of(documents)
    told = config.count("import ending") == len(re.findall(r"^:\d+ \{", config, re.MULTILINE))
    return {"age": 0 if told else None, "idle": seconds(r"idle (\d+)s\n", config),
            "pause": pause + (seconds(r"shutdown_delay (\d+)s\n", config) or 0),
            "rest": seconds(r"grace_period (\d+)s\n", config), "grace": grace}


def apisix(path):
    text, (values,) = read(path)
    settings = values["apisix"].get("nginx", {})
    snippet = settings.get("configurationSnippet", {}).get("httpStart", "")
    grace = seconds(r'"terminationGracePeriodSeconds":(\d+)', text)
    return {"age": seconds(r"keepalive_time (\d+)s;", snippet), "idle": seconds(r"(\d+)s", settings.get("keepaliveTimeout", "")),
            "pause": APISIX_PAUSE, "rest": 0, "grace": grace if grace == APISIX_GRACE else None}


def kong(path):
    _, (values,) = read(path)
    gateway = values["gateway"]
    quit_command = " ".join(gateway["lifecycle"]["preStop"]["exec"]["command"])
    env = gateway.get("env", {})
    return {"age": seconds(r"(\d+)s", env.get("nginx_proxy_keepalive_time", "")),
            "idle": seconds(r"(\d+)s", env.get("nginx_proxy_keepalive_timeout", "")),
            "pause": seconds(r"--wait=(\d+)", quit_command), "rest": seconds(r"--timeout=(\d+)", quit_command),
            "grace": gateway["terminationGracePeriodSeconds"]}


def problems_of(name, times):
    missing = [key for key, value in times.items() if value is None]
    if missing:
        yield f"{name}: says nothing of {', '.join(missing)}"
        return
    if times["age"] + times["idle"] >= times["pause"]:
        yield f"{name}: a connection may be idle when the server closes what is: {times}"
    if times["pause"] + times["rest"] >= times["grace"]:
        yield f"{name}: it is killed before its requests have ended: {times}"


def main():
    folder = os.path.join(sys.argv[1], "gateways")
    problems = []
    for reader, file in ((nginx, "nginx.yaml"), (caddy, "caddy.yaml"), (apisix, "apisix-values.yaml"), (kong, "kong-values.yaml")):
        times = reader(os.path.join(folder, file))
        problems += problems_of(file, times)
        print(file, times)
    print("\n".join(problems))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
