# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""The bpf() system call, as far as the bench needs it: programs, their statistics, and entries of pinned maps."""
import ctypes
import os
import platform
import struct

from sandbox import libc

SYS_BPF = {"x86_64": 321}.get(platform.machine(), 280)
MAP_CREATE, MAP_LOOKUP, MAP_UPDATE, MAP_GET_NEXT_KEY, PROG_LOAD, OBJ_GET, PROG_TEST_RUN = 0, 1, 2, 4, 5, 7, 10
PROG_GET_FD_BY_ID, OBJ_GET_INFO_BY_FD, PROG_QUERY, MAP_UPDATE_BATCH, LINK_CREATE, ENABLE_STATS = 13, 15, 16, 26, 28, 32
PROG_ARRAY = 3
SCHED_CLS = 3
TCX = {"in": 46, "out": 47}  # enum bpf_attach_type, since kernel 6.6


def bpf(command, layout, *values):
    """The system call. Returns its result and its attributes as they are afterwards."""
    attributes = ctypes.create_string_buffer(struct.pack("<" + layout, *values), 144)
    result = libc.syscall(SYS_BPF, command, attributes, len(attributes))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf command {command}")
    return result, attributes


def instruction(opcode, destination=0, source=0, offset=0, immediate=0):
    return struct.pack("<BBhi", opcode, source << 4 | destination, offset, immediate)


RETURN_NEXT = instruction(0xB7, immediate=-1) + instruction(0x95)  # r0 = TCX_NEXT; exit


def load_program(code, attach_type=0):
    text, licence = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"GPL")
    # ..., log level, size and buffer, kernel version, flags, name, ifindex, expected_attach_type
    return bpf(PROG_LOAD, "IIQQIIQII16sII", SCHED_CLS, len(code) // 8, ctypes.addressof(text),
               ctypes.addressof(licence), 0, 0, 0, 0, 0, b"", 0, attach_type)[0]


def load_empty_program(attach_type=0):
    return load_program(RETURN_NEXT, attach_type)


def info(program):
    """Name, nanoseconds, runs."""
    data = ctypes.create_string_buffer(256)
    bpf(OBJ_GET_INFO_BY_FD, "IIQ", program, len(data), ctypes.addressof(data))
    return data.raw[64:80].rstrip(b"\0"), *struct.unpack_from("<QQ", data, 192)


def run_hot(program, frame, runs):
    """Nanoseconds a run, of that many runs of one program on one packet; each finds what the one before left of it."""
    packet = ctypes.create_string_buffer(frame, len(frame))
    values = program, 0, len(frame), 0, ctypes.addressof(packet), 0, runs, 0
    _, answer = bpf(PROG_TEST_RUN, "IIIIQQII", *values)
    return struct.unpack_from("<I", answer, 36)[0]


def run_once(program, frame):
    """The packet as the program leaves it."""
    packet, out = ctypes.create_string_buffer(frame, len(frame)), ctypes.create_string_buffer(len(frame) + 256)
    values = program, 0, len(frame), len(out), ctypes.addressof(packet), ctypes.addressof(out), 1, 0
    _, answer = bpf(PROG_TEST_RUN, "IIIIQQII", *values)
    return out.raw[:struct.unpack_from("<I", answer, 12)[0]]


def open_pinned(path):
    name = ctypes.create_string_buffer(path.encode())
    return bpf(OBJ_GET, "QI", ctypes.addressof(name), 0)[0]


def first_entry(table, key_size, value_size):
    """(key, value), or None where there is none."""
    key, value = ctypes.create_string_buffer(key_size), ctypes.create_string_buffer(value_size)
    try:
        bpf(MAP_GET_NEXT_KEY, "IIQQ", table, 0, 0, ctypes.addressof(key))
        bpf(MAP_LOOKUP, "IIQQQ", table, 0, ctypes.addressof(key), ctypes.addressof(value), 0)
    except OSError:
        return None
    return key.raw, value.raw


def put_entries(table, keys, values):
    """`keys` and `values`: lists of bytes, as many of one as of the other."""
    all_keys, all_values = b"".join(keys), b"".join(values)
    key_buffer = ctypes.create_string_buffer(all_keys, len(all_keys))
    value_buffer = ctypes.create_string_buffer(all_values, len(all_values))
    # in_batch, out_batch, keys, values, count, map_fd, elem_flags, flags
    bpf(MAP_UPDATE_BATCH, "QQQQIIQQ", 0, 0, ctypes.addressof(key_buffer), ctypes.addressof(value_buffer), len(keys), table,
        0, 0)
