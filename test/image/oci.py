#!/usr/bin/env python3
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""Reads an OCI archive by the specification alone, with no tool that also builds them.

oci.py check <archive> <version> <revision>    is it what conf/Containerfile promises? Prints sizes, or what is wrong (exit 1)
oci.py bundle <archive> <architecture> <to>    makes a bundle for runc: <to>/rootfs and <to>/config.json
"""
import gzip
import hashlib
import io
import json
import pathlib
import struct
import sys
import tarfile

MACHINES = {"amd64": 62, "arm64": 183}  # ELF's e_machine
PT_DYNAMIC, PT_INTERP = 2, 3
LABEL = "org.opencontainers.image."


class Wrong(Exception):
    pass


def must(condition, text):
    if not condition:
        raise Wrong(text)


class Archive:
    def __init__(self, path):
        with tarfile.open(path) as tar:
            self.files = {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}
        self.seen = {"index.json", "oci-layout"}
        index = json.loads(self.files["index.json"])
        must(len(index["manifests"]) == 1, "index.json should name one image")
        self.tag = index["manifests"][0]["annotations"][LABEL + "ref.name"]
        self.digest = index["manifests"][0]["digest"]
        self.images = {}
        for manifest in self.json(index["manifests"][0])["manifests"]:
            platform = manifest["platform"]["os"] + "/" + manifest["platform"]["architecture"]
            must(platform not in self.images, f"{platform} is there twice")
            self.images[platform] = self.json(manifest)

    def blob(self, descriptor):
        kind, digest = descriptor["digest"].split(":")
        name = f"blobs/{kind}/{digest}"
        must(name in self.files, f"{name} isn't in the archive")
        content = self.files[name]
        must(hashlib.new(kind, content).hexdigest() == digest, f"{name} isn't what its name says")
        must(len(content) == descriptor["size"], f"{name} has another size than its descriptor says")
        self.seen.add(name)
        return content

    def json(self, descriptor):
        return json.loads(self.blob(descriptor))

    def layer(self, platform):
        layers = self.images[platform]["layers"]
        must(len(layers) == 1, f"{platform}: {len(layers)} layers instead of one")
        return tarfile.open(fileobj=io.BytesIO(gzip.decompress(self.blob(layers[0]))))


def check_program(content, architecture):
    must(content[:6] == b"\x7fELF\x02\x01", "not a 64-bit little-endian ELF file")
    (machine,) = struct.unpack_from("<H", content, 18)
    must(machine == MACHINES[architecture], f"the program is for ELF machine {machine}, not for {architecture}")
    (offset,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<HH", content, 54)
    kinds = [struct.unpack_from("<I", content, offset + size * i)[0] for i in range(count)]
    must(PT_INTERP not in kinds and PT_DYNAMIC not in kinds, "the program isn't static")


def check_image(archive, architecture, version, revision):
    platform = "linux/" + architecture
    config = archive.json(archive.images[platform]["config"])
    must((config["os"], config["architecture"]) == ("linux", architecture), "the configuration names another platform")
    settings = config["config"]
    must(settings["Entrypoint"] == ["/sallyport"], f"Entrypoint {settings['Entrypoint']}")
    for key in ("Cmd", "User", "Volumes", "ExposedPorts", "WorkingDir"):
        must(settings.get(key) in (None, "", "/"), f"{key} {settings.get(key)}")
    labels = settings["Labels"]
    must(set(labels) == {LABEL + key for key in ("title", "description", "licenses", "version", "revision")},
         f"labels {sorted(labels)}")
    must(labels[LABEL + "version"] == version, f"version {labels[LABEL + 'version']}")
    must(labels[LABEL + "revision"] == revision, f"revision {labels[LABEL + 'revision']}, not {revision}")

    files = archive.layer(platform).getmembers()
    must([file.name for file in files] == ["sallyport"], f"files {[file.name for file in files]}")
    file = files[0]
    must(file.isfile() and (file.uid, file.gid, file.mode & 0o7777) == (0, 0, 0o755), f"mode {file.mode:o} of {file.name}")
    check_program(archive.layer(platform).extractfile(file).read(), architecture)
    packed = archive.images[platform]["layers"][0]["size"]
    print(f"{platform}: /sallyport, {file.size} bytes, {packed} compressed")


def check(path, version, revision):
    archive = Archive(path)
    must(sorted(archive.images) == ["linux/amd64", "linux/arm64"], f"platforms {sorted(archive.images)}")
    must(archive.tag == version, f"tag {archive.tag}")
    for architecture in MACHINES:
        check_image(archive, architecture, version, revision)
    must(set(archive.files) == archive.seen, f"also in the archive: {sorted(set(archive.files) - archive.seen)}")
    print(f"{archive.digest} {pathlib.Path(path).stat().st_size} bytes")


def bundle(path, architecture, to):
    """A bundle as a cluster's runtimes would make it of a DaemonSet that asks for little: no capability, nothing writable."""
    archive = Archive(path)
    settings = archive.json(archive.images["linux/" + architecture]["config"])["config"]
    root = pathlib.Path(to) / "rootfs"
    root.mkdir(parents=True)
    archive.layer("linux/" + architecture).extractall(root)
    (pathlib.Path(to) / "config.json").write_text(json.dumps({
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs", "readonly": True},
        "process": {"args": settings["Entrypoint"] + sys.argv[5:], "env": settings.get("Env", []), "cwd": "/",
                    "user": {"uid": 0, "gid": 0}, "noNewPrivileges": True, "capabilities": {}},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                   {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]}],
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "mount", "network", "ipc", "uts", "cgroup")],
                  "cgroupsPath": "/bundle"},
    }))


if __name__ == "__main__":
    try:
        {"check": check, "bundle": bundle}[sys.argv[1]](*sys.argv[2:5])
    except Wrong as wrong:
        sys.exit(f"{sys.argv[2]}: {wrong}")
