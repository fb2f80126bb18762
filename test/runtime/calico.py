#!/usr/bin/env python3
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""Stands in for Calico's plugin, which wants a cluster's datastore: makes the devices, routes and settings of a pod that Calico's
makes, with an IPAM plugin's addresses, and prints the result that Calico's prints.

The former are those of Calico's cni-plugin/pkg/dataplane/linux/dataplane_linux.go, without Felix's policy. The latter is that of
pkg/k8s/k8s.go, which says the interface's MAC and sandbox since Calico's issue 9294 asked for it; "older" in the entry asks for
one of before, as that issue shows it in a node's cache.
"""
import hashlib
import json
import os
import subprocess
import sys
import time

GATEWAY = "169.254.1.1"  # on no device: the host answers for it by proxy ARP


def run(*words, text=None):
    return subprocess.run(words, input=text, check=True, stdout=subprocess.PIPE, text=True).stdout


def call_ipam(config):
    plugin = json.loads(config)["ipam"]["type"]
    paths = [os.path.join(directory, plugin) for directory in os.environ["CNI_PATH"].split(":")]
    return run(next(filter(os.path.exists, paths)), text=config)


class Namespace:
    def __init__(self, path):
        self.enter = ["nsenter", "--net=" + path]

    def ip(self, *commands):
        run(*self.enter, "ip", "-batch", "-", text="\n".join(commands))

    def set(self, *settings):
        run(*self.enter, "sysctl", "-qw", *settings)

    def link_local(self, device):
        for _ in range(10):
            devices = json.loads(run(*self.enter, "ip", "-json", "-6", "address", "show", "dev", device))
            if addresses := [address for each in devices for address in each.get("addr_info", [])]:
                return addresses[0]["local"]
            time.sleep(0.05)
        raise TimeoutError(device + " has no IPv6 address")

    def mac(self, device):
        return json.loads(run(*self.enter, "ip", "-json", "link", "show", "dev", device))[0]["address"]


def connect(pod, inside, outside, addresses):
    """Both ends are made in the pod, and set up there; then the host gets its own."""
    host = Namespace("/proc/self/ns/net")
    v4, v6 = ([address for address in addresses if (":" in address) == is_v6] for is_v6 in (False, True))
    pod.ip(f"link add {inside} type veth peer name {outside}", f"link set {outside} address ee:ee:ee:ee:ee:ee")
    if v6:
        pod.set(*(f"net/ipv6/conf/{device}/accept_dad=0" for device in (inside, outside)))
    pod.ip(f"link set {outside} up", f"link set {inside} up")
    if v4:
        pod.ip(f"route add {GATEWAY} dev {inside} scope link", f"route add default via {GATEWAY} dev {inside}")
    if v6:
        pod.set(*(f"net/ipv6/conf/{device}/disable_ipv6=0" for device in ("all", "default", "lo")))
        pod.ip(f"route add ::/0 via {pod.link_local(outside)} dev {inside}")
    pod.ip(*(f"address add {address} dev {inside}" for address in addresses))
    pod.set("net/ipv4/ip_forward=0", "net/ipv6/conf/all/forwarding=0")
    pod.ip(f"link set {outside} netns {os.getpid()}")
    if v4:
        host.set(f"net/ipv4/conf/{outside}/route_localnet=1", f"net/ipv4/neigh/{outside}/proxy_delay=0",
                 f"net/ipv4/conf/{outside}/proxy_arp=1", f"net/ipv4/conf/{outside}/forwarding=1")
    if v6:
        host.set(f"net/ipv6/conf/{outside}/disable_ipv6=0", f"net/ipv6/conf/{outside}/proxy_ndp=1",
                 f"net/ipv6/conf/{outside}/forwarding=1")
    host.set(f"net/ipv6/conf/{outside}/accept_ra=0")
    host.ip(f"link set {outside} up", *(f"route add {address} dev {outside} scope link" for address in addresses))


def add(config, args):
    entry = json.loads(config)
    allotted = json.loads(call_ipam(config))["ips"]
    hosts = [ip["address"].split("/")[0] for ip in allotted]
    addresses = [host + ("/128" if ":" in host else "/32") for host in hosts]
    pod, inside = Namespace(os.environ["CNI_NETNS"]), os.environ["CNI_IFNAME"]
    workload = "{K8S_POD_NAMESPACE}.{K8S_POD_NAME}".format(**args)
    outside = "cali" + hashlib.sha1(workload.encode()).hexdigest()[:11]
    connect(pod, inside, outside, addresses)

    interface = {"name": outside}
    if not entry.get("older"):
        interface |= {"mac": pod.mac(inside), "sandbox": os.environ["CNI_NETNS"]}
    ips = [{"address": address} for address in addresses]
    if entry["cniVersion"].startswith("0."):
        ips = [{"version": "6" if ":" in ip["address"] else "4"} | ip for ip in ips]
    print(json.dumps({"cniVersion": entry["cniVersion"], "interfaces": [interface], "ips": ips, "dns": {}}))


def delete(config, _):
    netns = os.environ.get("CNI_NETNS")
    if netns and os.path.exists(netns):
        words = ["nsenter", "--net=" + netns, "ip", "link", "delete", os.environ["CNI_IFNAME"]]
        subprocess.run(words, stderr=subprocess.DEVNULL)  # it may be gone
    call_ipam(config)


def main():
    args = dict(pair.split("=", 1) for pair in os.environ["CNI_ARGS"].split(";"))
    {"ADD": add, "DEL": delete}[os.environ["CNI_COMMAND"]](sys.stdin.read(), args)


main()
