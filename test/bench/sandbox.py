# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""Where the bench runs: namespaces, mounts and nodes of its own. All of it ends with the bench's process."""
import contextlib
import ctypes
import os
import subprocess

DIRECTORY = "/run/bench"
CLONE_NEWNET = 0x40000000
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"

NODE_V4, NODE_V6 = "192.168.100.1", "fd00:100::1"
CLIENT_V4, CLIENT_V6 = "192.168.100.2", "fd00:100::2"
GATEWAY_V4, GATEWAY_V6 = "10.1.0.1", "fd00:10:1::1"  # the node's address on every pod's device, as with ptp

libc = ctypes.CDLL(None, use_errno=True)


class Broken(Exception):
    """The bench can't measure what it says it measures."""


def shell(*words, text=None):
    ended = subprocess.run(words, input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if ended.returncode != 0:
        raise Broken(f"{' '.join(words)}: {ended.stdout.strip()}")
    return ended.stdout


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def enter():
    """To be called once, in the new namespaces: hides the machine's devices, pins, locks and logs."""
    os.environ["PATH"] = PATH
    shell("mount", "--make-rprivate", "/")
    shell("mount", "-t", "sysfs", "sysfs", "/sys")
    for place in "/run", "/var/log":
        shell("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", place)
    os.makedirs(DIRECTORY)
    os.environ["TMPDIR"] = DIRECTORY


def compile_c(name, source=None):
    """Compiles the source text, or else the file beside this one; returns the static program's path."""
    program = f"{DIRECTORY}/{name}"
    file = os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".c") if source is None else "-"
    shell("gcc", "-O2", "-static", "-Wall", "-Wextra", "-Werror", "-o", program, "-x", "c", file, text=source)
    return program


def setns(fd):
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


@contextlib.contextmanager
def inside(netns):
    """What is opened or started in this context belongs to that network namespace."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    other = os.open("/run/netns/" + netns, os.O_RDONLY)
    try:
        setns(other)
        yield
    finally:
        setns(own)
        os.close(own)
        os.close(other)


def ip(netns, batch):
    with inside(netns):
        shell("ip", "-batch", "-", text=batch)


def new_namespace(name):
    shell("ip", "netns", "add", name)
    with inside(name):
        # Duplicate address detection would cost each address its first second.
        write("/proc/sys/net/ipv6/conf/default/accept_dad", "0")
        write("/proc/sys/net/ipv4/ip_forward", "1")
        write("/proc/sys/net/ipv6/conf/all/forwarding", "1")
    ip(name, "link set lo up\n")


class Timer:
    """Runs programs in one network namespace and says how long each took."""

    def __init__(self, netns, time_exec):
        with inside(netns):
            self.process = subprocess.Popen([time_exec], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, program, input_file, environment):
        """Milliseconds. Throws Broken where the program fails."""
        self.process.stdin.write(("\t".join([program, input_file, *environment]) + "\n").encode())
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if len(answer) != 3:
            raise Broken("time_exec ended")
        output = self.process.stdout.read(int(answer[2]))
        if int(answer[1]) != 0:
            status = os.waitstatus_to_exitcode(int(answer[1]))
            raise Broken(f"{os.path.basename(program)} ended with {status}: {output.decode(errors='replace').strip()}")
        return int(answer[0]) / 1e6


class Node:
    """A host with one outside device, and a client at its other end. State, pins and log are this node's own."""

    def __init__(self, name, time_exec):
        self.name = name
        self.client = "client-of-" + name
        self.directory = f"{DIRECTORY}/{name}"
        self.pods = 0
        for part in "bpffs", "cgroup":  # no cgroup v2 there: the machine's own stays out of reach
            os.makedirs(f"{self.directory}/{part}")
        shell("mount", "-t", "bpf", "bpf", f"{self.directory}/bpffs")
        new_namespace(self.name)
        new_namespace(self.client)
        ip(self.name, f"""
            link add eth0 type veth peer name eth0 netns {self.client}
            addr add {NODE_V4}/24 dev eth0
            addr add {NODE_V6}/64 dev eth0 nodad
            link set eth0 up
            """)
        ip(self.client, f"""
            addr add {CLIENT_V4}/24 dev eth0
            addr add {CLIENT_V6}/64 dev eth0 nodad
            link set eth0 up
            """)
        ip(self.name, f"""
            route add 0.0.0.0/0 via {CLIENT_V4}
            route add ::/0 via {CLIENT_V6}
            """)
        self.timer = Timer(self.name, time_exec)

    def next_number(self):
        self.pods += 1
        return self.pods

    def add_plain_veths(self, count):
        """The devices, addresses and routes of as many pods that ask for nothing; their other ends share a namespace."""
        others = "plain-pods-of-" + self.name
        new_namespace(others)
        numbers = [self.next_number() for _ in range(count)]
        ip(self.name, "".join(wiring(number, others, f"eth{number}") for number in numbers))
        ip(others, "".join(f"link set eth{number} up\n" for number in numbers))


def pod_addresses(number):
    return f"10.1.{1 + number // 250}.{1 + number % 250}", f"fd00:10:1::1:{number:x}"


def wiring(number, netns, peer):
    """The node's side of a pod's veth pair, as ptp leaves it."""
    v4, v6 = pod_addresses(number)
    return f"""
        link add lxc{number} type veth peer name {peer} netns {netns}
        addr add {GATEWAY_V4}/32 dev lxc{number}
        addr add {GATEWAY_V6}/128 dev lxc{number} nodad
        link set lxc{number} up
        route add {v4}/32 dev lxc{number}
        route add {v6}/128 dev lxc{number}
        """
