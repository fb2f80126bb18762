#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Is every source formatted as .clang-format says, and BPF programs as bpf/.clang-format does? How far a trailing comment is from
# its code isn't compared: in the kernel's style comments stand on tab stops, which clang-format doesn't know. `--fix` formats
# instead.
set -uo pipefail

command -v clang-format-19 >/dev/null || { echo "skipped: clang-format 19 decides, and isn't here"; exit 77; }

normalised()
{
    sed -E 's#([^[:space:]])[[:space:]]+(/\*|//|\\$)#\1 \2#'
}

status=0
while read -r file; do
    style=.clang-format
    case $file in bpf/* | test/support/bpf/* | include/sallyport/abi*.h) style=bpf/.clang-format ;; esac
    [ "${1:-}" != --fix ] || { clang-format-19 -i --style=file:$style "$file"; continue; }
    diff -u --label "$file" --label "$file (formatted)" \
        <(normalised <"$file") <(clang-format-19 --style=file:$style "$file" | normalised) || status=1
done < <(find bpf include plugin test -name '*.[ch]' -o -name '*.[ch]pp')
exit $status
