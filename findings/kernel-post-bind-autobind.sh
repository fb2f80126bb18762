#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Linux 6.18: a cgroup/post_bind4 program that refuses every port guards bind() alone. A socket that gets its port without
# bind() keeps it: by listen(), by connect(), by the first datagram.
#
# So the hook can't keep a port of the ephemeral range free, nor can it keep a process from listening: listen() on an unbound
# TCP socket takes a free port and serves on it.
#
# Seen with Python 3.11:
#   bind() to port 8080     EPERM
#   bind() to any port      EPERM
#   listen() without bind   has a port
#   connect() without bind  has a port
#   sendto() without bind   has a port
set -euo pipefail

[ "$(id -u)" = 0 ] || { echo "needs root: loads a BPF program" >&2; exit 2; }
[ "${1:-}" = inside ] || exec unshare --net "$0" inside

ip link set lo up
root=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
[ -n "$root" ] || { echo "no cgroup v2 is mounted" >&2; exit 2; }
cgroup=$(mktemp -d "$root"/finding.XXXXXX)
dir=$(mktemp -d)
trap 'rmdir "$cgroup"; rm -rf "$dir"' EXIT
cat >"$dir"/try.py <<'PYTHON'
import ctypes, errno, os, platform, socket, struct, sys

SYS_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
PROG_LOAD, PROG_ATTACH = 5, 8
CGROUP_SOCK, INET4_POST_BIND = 9, 12
libc = ctypes.CDLL(None, use_errno=True)

def bpf(command, attributes):
    result = libc.syscall(SYS_BPF, command, ctypes.create_string_buffer(attributes, 128), 128)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf command {command}")
    return result

refuse = ctypes.create_string_buffer(struct.pack("<BBhi", 0xB7, 0, 0, 0) + struct.pack("<BBhi", 0x95, 0, 0, 0))
license = ctypes.create_string_buffer(b"GPL")
program = bpf(PROG_LOAD, struct.pack("<IIQQ", CGROUP_SOCK, 2, ctypes.addressof(refuse), ctypes.addressof(license)) +
              bytes(44) + struct.pack("<I", INET4_POST_BIND))
bpf(PROG_ATTACH, struct.pack("<IIII", os.open(sys.argv[1], os.O_RDONLY), program, INET4_POST_BIND, 0))
server = socket.socket()
server.listen()  # for connect()

def attempt(what, kind, action):
    sock = socket.socket(socket.AF_INET, kind)
    try:
        action(sock)
        print(f"{what:24}{'has a port' if sock.getsockname()[1] else 'no port'}")
    except OSError as error:
        print(f"{what:24}{errno.errorcode[error.errno]}")

with open(sys.argv[1] + "/cgroup.procs", "w") as processes:
    processes.write(str(os.getpid()))
attempt("bind() to port 8080", socket.SOCK_STREAM, lambda sock: sock.bind(("127.0.0.1", 8080)))
attempt("bind() to any port", socket.SOCK_STREAM, lambda sock: sock.bind(("127.0.0.1", 0)))
attempt("listen() without bind", socket.SOCK_STREAM, lambda sock: sock.listen())
attempt("connect() without bind", socket.SOCK_STREAM, lambda sock: sock.connect(("127.0.0.1", server.getsockname()[1])))
attempt("sendto() without bind", socket.SOCK_DGRAM, lambda sock: sock.sendto(b"?", ("127.0.0.1", 8080)))
PYTHON
python3 "$dir"/try.py "$cgroup" | tee "$dir"/output
diff - "$dir"/output <<'WANTED' || { echo "changed" >&2; exit 1; }
bind() to port 8080     EPERM
bind() to any port      EPERM
listen() without bind   has a port
connect() without bind  has a port
sendto() without bind   has a port
WANTED
