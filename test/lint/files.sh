#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What every file has: its licence in the first lines, and at most 360 lines, where a second subject has crept in.
set -uo pipefail

status=0
while read -r file; do
    licence=Apache-2.0
    case $file in bpf/* | include/sallyport/abi*.h) licence='GPL-2.0-only OR BSD-2-Clause' ;; esac
    head -n 4 "$file" | grep -qF "SPDX-License-Identifier: $licence" || { echo "$file: no licence $licence"; status=1; }
    lines=$(wc -l <"$file")
    [ "$lines" -le 360 ] || { echo "$file: $lines lines, at most 360"; status=1; }
done < <(find CMakeLists.txt Makefile bpf conf include plugin test .ci -name CMakeLists.txt -o -name '*.cmake' -o -name Makefile -o -path '.ci/*' -o \
    -name '*.[ch]' -o -name '*.[ch]pp' -o -name '*.sh')
exit $status
