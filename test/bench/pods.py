# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""Pods, and a container runtime's calls for them. Dual-stack; a stand-in for the primary plugin attaches them."""
import json

from sandbox import GATEWAY_V4, GATEWAY_V6, PATH, ip, new_namespace, pod_addresses, wiring, write

ANNOTATIONS = "io.kubernetes.cri.pod-annotations"
CNI_VERSION = "0.3.1"  # Cilium's


class Pod:
    """`plugin`: the program; `entry`: its entry of the conflist; `runtime_config`: what the runtime adds for this pod."""

    def __init__(self, node, plugin, entry, runtime_config=None):
        self.node = node
        self.plugin = plugin
        self.number = node.next_number()
        self.netns = f"{node.name}-pod-{self.number}"
        self.v4, self.v6 = pod_addresses(self.number)
        self.wire()
        config = dict(entry, name="pods", cniVersion=CNI_VERSION)
        if runtime_config:
            config["runtimeConfig"] = runtime_config
        self.inputs = {
            "ADD": self.save("ADD", dict(config, prevResult=self.primary_result())),
            "DEL": self.save("DEL", config),  # this version's DEL brings no prevResult
        }

    def wire(self):
        new_namespace(self.netns)
        ip(self.node.name, wiring(self.number, self.netns, "eth0"))
        ip(self.netns, f"""
            addr add {self.v4}/32 dev eth0
            addr add {self.v6}/128 dev eth0 nodad
            link set eth0 up
            route add {GATEWAY_V4}/32 dev eth0
            route add {GATEWAY_V6}/128 dev eth0
            route add 0.0.0.0/0 via {GATEWAY_V4}
            route add ::/0 via {GATEWAY_V6}
            """)

    def save(self, command, config):
        path = f"{self.node.directory}/{self.netns}.{command}.json"
        write(path, json.dumps(config))
        return path

    def primary_result(self):
        return {
            "cniVersion": CNI_VERSION,
            "interfaces": [
                {"name": f"lxc{self.number}"},
                {"name": "eth0", "sandbox": "/run/netns/" + self.netns},
            ],
            "ips": [
                {"version": "6", "interface": 1, "address": self.v6 + "/128", "gateway": GATEWAY_V6},
                {"version": "4", "interface": 1, "address": self.v4 + "/32", "gateway": GATEWAY_V4},
            ],
            "dns": {},
        }

    def run(self, command, program=None):
        """Milliseconds that the plugin's call took, or another program's that is started the same way."""
        environment = [
            "PATH=" + PATH,
            "CNI_PATH=/usr/lib/cni",
            "CNI_COMMAND=" + command,
            f"CNI_CONTAINERID=container-of-{self.netns}",
            "CNI_NETNS=/run/netns/" + self.netns,
            "CNI_IFNAME=eth0",
            f"CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=gateways;K8S_POD_NAME={self.netns}",
        ]
        return self.node.timer.run(program or self.plugin, self.inputs[command], environment)

    def add(self):
        return self.run("ADD")

    def delete(self):
        return self.run("DEL")


class Sallyport:
    """Makes pods whose plugin is ours."""

    def __init__(self, binary):
        self.binary = binary

    def entry(self, node):
        return {
            "type": "sallyport",
            "capabilities": {ANNOTATIONS: True},
            "gateways": {"namespaces": ["gateways"], "ports": ["8000-8999", 80, 443]},
            "bpffs": node.directory + "/bpffs",
            "cgroup": node.directory + "/cgroup",
            "stateDir": node.directory + "/state",
            "logFile": node.directory + "/sallyport.log",
        }

    def plain_pod(self, node):
        return Pod(node, self.binary, self.entry(node), {ANNOTATIONS: {"app": "plain"}})

    def gateway_pod(self, node, expose, fast_path=False):
        entry = dict(self.entry(node), fastPath=fast_path)
        return Pod(node, self.binary, entry, {ANNOTATIONS: {"sallyport.dev/expose": expose}})


def portmap_pod(node, ports):
    """A pod behind the CNI project's portmap. `ports`: {node port: container port}."""
    entry = {"type": "portmap", "capabilities": {"portMappings": True}, "backend": "iptables", "snat": True}
    mappings = [{"hostPort": host, "containerPort": pod, "protocol": "tcp"} for host, pod in ports.items()]
    return Pod(node, "/usr/lib/cni/portmap", entry, {"portMappings": mappings})
