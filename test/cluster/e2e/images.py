# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""Images of Sallyport beside the one that `make image` built: another build of it, and one whose tables have another layout."""
import os
import pathlib
import re
import tempfile

from cluster import NODES, SOURCE, on, run

OWN = re.search(r"newTag: \"(.*)\"", (SOURCE / "conf/base/kustomization.yaml").read_text())[1]
BINARY = SOURCE / "build/sallyport"
PARTS = ["CMakeLists.txt", "CMakePresets.json", "plugin", "include", "bpf", "conf", "test", "LICENSE"]


def give_to_nodes(tag, binary):
    """Packs it as `sallyport:<tag>`, and imports that on each node."""
    with tempfile.TemporaryDirectory() as directory:
        root, archive = pathlib.Path(directory, "root"), pathlib.Path(directory, "image.tar")
        root.mkdir()
        (root / "sallyport").write_bytes(binary)
        (root / "sallyport").chmod(0o755)
        run("test/cluster/images/pack.py", archive, f"docker.io/library/sallyport:{tag}", root, '{"Entrypoint": ["/sallyport"]}')
        for node in NODES:
            on(node, "ctr", "images", "import", "--no-unpack", "/dev/stdin", stdin=archive)
    return tag


def other_build():
    """The same program but for a comment in what its BPF programs tell of their source."""
    line = b"int node_ingress(struct"
    binary = BINARY.read_bytes()
    assert line in binary
    return give_to_nodes("other-build", binary.replace(line, line.replace(b"ingress", b"INGRESS")))


def other_abi():
    """The same sources with the next number as their ABI. Compiled once; the copy stays below build/."""
    copy = SOURCE / "build/other-abi"
    copy.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        run("rm", "-rf", copy / part)
        run("cp", "-a", SOURCE / part, copy / part)
    header = copy / "include/sallyport/abi.h"
    times = header.stat()
    header.write_text(re.sub(r"(?<=#define SALLYPORT_ABI )\d+", lambda number: str(int(number[0]) + 1), header.read_text()))
    os.utime(header, ns=(times.st_atime_ns, times.st_mtime_ns))  # as old as its source: what didn't change isn't compiled again
    run("cmake", "-S", copy, "-B", copy / "build", "--preset", "release", "-DBUILD_TESTING=OFF")
    run("cmake", "--build", copy / "build", "--target", "sallyport", timeout=1800)
    return give_to_nodes("other-abi", (copy / "build/sallyport").read_bytes())
