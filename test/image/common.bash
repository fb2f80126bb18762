# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# What the scripts of this folder share; each starts by reading it. SALLYPORT_IMAGE, _DEB: others than those just built.
set -euo pipefail
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
cd "$here/../.."

binary=${SALLYPORT_BIN:-build/sallyport}
version=$("$binary" version | awk 'NR == 1 { print $2 }')
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
image=${SALLYPORT_IMAGE:-build/sallyport-$version.oci.tar}
deps=/usr/local/lib/sallyport-deps
# Where .ci/setup-tests puts programs that it doesn't install.
PATH=$PATH:$deps/runtime/usr/bin:$deps/runtime/usr/sbin:/usr/sbin:/sbin

fail()
{
    echo "failed: $*" >&2
    exit 1
}

# need <program>...: skips the test where one isn't there.
need()
{
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || { echo "skipped: no $program here (.ci/setup installs it on Debian, on amd64)"; exit 77; }
    done
}

# Where the tests before it were skipped, nothing has been built.
need_image()
{
    need aarch64-linux-gnu-g++ buildah python3
    [ -r "$image" ] || fail "$image isn't there; \`make image\` builds it"
}

# same <what> <expected> <seen>
same()
{
    [ "$2" = "$3" ] || fail "$1: expected"$'\n'"$2"$'\n'"but got"$'\n'"$3"
}
