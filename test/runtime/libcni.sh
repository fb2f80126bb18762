#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A runtime that remembers: libcni itself, with its cache, in CRI-O's order. libcni/ plays it, on a node in namespaces of this
# script's own.
set -euo pipefail
cd "$(dirname "$0")/../.."

export SALLYPORT_BIN=${SALLYPORT_BIN:-build/sallyport}
if [ "${1:-}" != --inside ]; then
    [ "$(id -u)" = 0 ] || { echo "skipped: root makes namespaces"; exit 77; }
    # shellcheck source=test/conf/tools
    . test/conf/tools
    go_path=${SALLYPORT_LIBCNI:-/usr/local/lib/sallyport-deps/libcni}
    [ -e "$go_path"/.packages ] || { echo "skipped: no libcni; .ci/setup-tests fetches it from a Go proxy"; exit 77; }
    mkdir "$scratch"/bin
    (
        cd test/runtime/libcni
        [ -z "$(with_go gofmt -l . | tee /dev/stderr)" ] # names what isn't formatted
        with_go go vet .
        with_go go build -o "$scratch"/bin/primary .
    )
    cp "$SALLYPORT_BIN" "$scratch"/bin/sallyport
    unshare --net --mount --pid --mount-proc --fork --kill-child "$0" --inside "$scratch"
    exit
fi

mount -t tmpfs none /run # of this script alone, from here on
mkdir /run/bpf /run/netns
mount -t bpf bpf /run/bpf || { echo "skipped: no bpffs here"; exit 77; }
exec "$2"/bin/primary "$2"
