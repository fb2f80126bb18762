#!/usr/bin/env python3
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""Lists the BPF programs in the tcx chains of this network namespace's devices: tc and older bpftools don't show them."""
import ctypes
import os
import platform
import socket
import struct

BPF_PROG_QUERY = 16
TCX = {"ingress": 46, "egress": 47}  # enum bpf_attach_type, since kernel 6.6
SYS_BPF = {"x86_64": 321}.get(platform.machine(), 280)
libc = ctypes.CDLL(None, use_errno=True)

for index, device in socket.if_nameindex():
    for side, attach_type in TCX.items():
        ids = (ctypes.c_uint32 * 64)()
        attributes = ctypes.create_string_buffer(
            struct.pack("<IIIIQII", index, attach_type, 0, 0, ctypes.addressof(ids), len(ids), 0), 128)
        if libc.syscall(SYS_BPF, BPF_PROG_QUERY, attributes, len(attributes)) == 0:
            count = struct.unpack_from("<I", attributes, 24)[0]
            for program in ids[:count]:
                print(device, side, "program", program)
