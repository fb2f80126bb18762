#!/usr/bin/env bash
# Copyright The Sallyport Authors
# SPDX-License-Identifier: Apache-2.0
#
# Is the archive what conf/Containerfile promises, for both platforms, and the same bytes when it is made again?
. "$(dirname "$0")"/common.bash

need_image
same "the program's commit" "${revision:0:12}" "$("$binary" version | awk '$1 == "commit" { print $2 }')"
test/image/oci.py check "$image" "$version" "$revision"

again=$(mktemp)
trap 'rm -f "$again"' EXIT
conf/image/build "$again" >/dev/null
cmp "$image" "$again" || fail "the archive isn't the same when it is made again"
