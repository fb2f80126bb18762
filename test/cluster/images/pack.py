#!/usr/bin/env python3
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
"""pack.py <archive> <image> <directory> <configuration> [<file with CAP_NET_BIND_SERVICE>]: an OCI archive of one layer.

The image's full name goes along, as containerd takes it: nobody has to say it at import. <configuration> is JSON, the
image's `config`. The same directory gives the same bytes.
"""
import hashlib
import io
import json
import os
import platform
import sys
import tarfile

# struct vfs_cap_data, revision 2, with the effective bit: what `setcap cap_net_bind_service=+ep` writes.
NET_BIND_SERVICE = b"\1\0\0\2" + (1 << 10).to_bytes(4, "little") + bytes(12)


def nobodys(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def layer_of(directory: str, capable: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for folder, folders, files in os.walk(directory):
            folders.sort()
            links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
            for name in sorted(files + links + [name for name in folders if name not in links]):
                path = os.path.join(folder, name)
                inside = os.path.relpath(path, directory)
                entry = nobodys(tar.gettarinfo(path, inside))
                if inside == capable:
                    entry.pax_headers["SCHILY.xattr.security.capability"] = NET_BIND_SERVICE.decode("ascii")
                with open(path, "rb") if entry.isreg() else io.BytesIO() as content:
                    tar.addfile(entry, content)
    return buffer.getvalue()


def main(archive: str, image: str, directory: str, configuration: str, capable: str = "") -> None:
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    with tarfile.open(archive, "w") as tar:

        def add(name: str, content: bytes) -> None:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))

        def blob(media_type: str, content: bytes) -> dict:
            digest = hashlib.sha256(content).hexdigest()
            add("blobs/sha256/" + digest, content)
            return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(content)}

        layer = blob("application/vnd.oci.image.layer.v1.tar", layer_of(directory, capable))
        config = blob("application/vnd.oci.image.config.v1+json", json.dumps({
            "architecture": architecture,
            "os": "linux",
            "config": json.loads(configuration),
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        }).encode())
        manifest = blob("application/vnd.oci.image.manifest.v1+json", json.dumps({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config,
            "layers": [layer],
        }).encode())
        manifest["annotations"] = {"io.containerd.image.name": image, "org.opencontainers.image.ref.name": image.split(":")[1]}
        manifest["platform"] = {"architecture": architecture, "os": "linux"}
        add("index.json", json.dumps({"schemaVersion": 2, "manifests": [manifest]}).encode())
        add("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')


main(*sys.argv[1:])
