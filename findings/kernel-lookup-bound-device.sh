#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Linux 6.18: bpf_skc_lookup_tcp() into another network namespace finds or misses a listener that is bound to a device by
# the *number* of a device that has nothing to do with it.
#
# The helper takes a namespace, but the device that the listener's binding is compared with is the one that the asking program
# runs on, in its own namespace. Device numbers begin anew in each namespace. So a program on device 7 here finds what is bound
# to device 7 there, and one on device 9 doesn't, whatever the two devices are. In fresh namespaces the first devices all have
# the same low numbers, so tests find the listener, and a machine with more devices doesn't.
#
# Seen with iproute2 6.1, Python 3.11; the listener is bound to device 7 of its namespace:
#   asked from device 7: found
#   asked from device 9: not found
set -euo pipefail

[ "$(id -u)" = 0 ] || { echo "needs root: loads a BPF program" >&2; exit 2; }
[ "${1:-}" = inside ] || exec unshare --mount --net "$0" inside

dir=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$dir"' EXIT
mount -t tmpfs names /run
mkdir /run/netns
for namespace in asker server; do ip netns add $namespace; done
ip -n asker link add name first index 7 type veth peer name first-end
ip -n asker link add name second index 9 type veth peer name second-end
ip -n server link add name bound index 7 type veth peer name bound-end
ip -n asker netns set server 5

cat >"$dir"/listen.py <<'PYTHON'
import signal, socket
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"bound")
listener.bind(("0.0.0.0", 80))
listener.listen()
print("listens", flush=True)
signal.pause()
PYTHON
cat >"$dir"/ask.py <<'PYTHON'
import ctypes, platform, struct

SYS_BPF = {"x86_64": 321, "aarch64": 280}[platform.machine()]
PROG_LOAD, PROG_TEST_RUN = 5, 10
SCHED_CLS, SKC_LOOKUP_TCP, SK_RELEASE = 3, 99, 86
libc = ctypes.CDLL(None, use_errno=True)

def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes, 128)
    result = libc.syscall(SYS_BPF, command, buffer, 128)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf command {command}")
    return result, buffer.raw

def instruction(code, to=0, source=0, offset=0, number=0):
    return struct.pack("<BBhi", code, source << 4 | to, offset, number)

program = b"".join((
    instruction(0x62, 10, 0, -16, 0),                   # struct bpf_sock_tuple: from 0.0.0.0
    instruction(0x62, 10, 0, -12, 0x0100000A),          # to 10.0.0.1
    instruction(0x62, 10, 0, -8, 0x50000000),           # from port 0 to port 80
    instruction(0xBF, 2, 10), instruction(0x07, 2, 0, 0, -16), instruction(0xB7, 3, 0, 0, 12),
    instruction(0xB7, 4, 0, 0, 5), instruction(0xB7, 5), instruction(0x85, number=SKC_LOOKUP_TCP),
    instruction(0x15, 0, 0, 3),                         # NULL: return 0
    instruction(0xBF, 1, 0), instruction(0x85, number=SK_RELEASE), instruction(0xB7, 0, 0, 0, 1),
    instruction(0x95)))
code = ctypes.create_string_buffer(program)
license = ctypes.create_string_buffer(b"GPL")
handle, _ = bpf(PROG_LOAD, struct.pack("<IIQQ", SCHED_CLS, len(program) // 8, ctypes.addressof(code),
                                       ctypes.addressof(license)))
packet = ctypes.create_string_buffer(64)
for device in (7, 9):
    context = ctypes.create_string_buffer(192)          # struct __sk_buff
    struct.pack_into("<I", context, 40, device)         # its ifindex
    _, answer = bpf(PROG_TEST_RUN, struct.pack("<IIIIQQIIIIQQ", handle, 0, 64, 0, ctypes.addressof(packet), 0, 1, 0, 192, 0,
                                               ctypes.addressof(context), 0))
    found = struct.unpack_from("<I", answer, 4)[0]
    print(f"asked from device {device}: {'found' if found else 'not found'}")
PYTHON
ip netns exec server python3 "$dir"/listen.py >"$dir"/ready &
server=$!
until grep -q listens "$dir"/ready; do sleep 0.1; done
ip netns exec asker python3 "$dir"/ask.py | tee "$dir"/output
diff - "$dir"/output <<'WANTED' || { echo "changed" >&2; exit 1; }
asked from device 7: found
asked from device 9: not found
WANTED
