#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Who may include what. Each rule keeps one library or one concern behind one door. Patterns are Perl's.
set -uo pipefail

status=0

# forbid <pattern> <reason> <file>...: no line of the files may match.
forbid()
{
    local pattern=$1 reason=$2
    shift 2
    [ $# = 0 ] || ! grep -nHP "$pattern" "$@" || { echo "  ^ $reason"; status=1; }
}

readarray -t code < <(find include plugin test -name '*.[ch]' -o -name '*.[ch]pp')

files_but()
{
    printf '%s\n' "${code[@]}" | grep -vE "$1"
}

readarray -t files < <(files_but '^(plugin/datapath|test/packet|test/support)/')
forbid '^#include +(<bpf/|[<"][^>"]*\.skel\.h)' "only plugin/datapath includes libbpf and skeletons" "${files[@]}"

readarray -t files < <(files_but '^plugin/os/netlink(_[a-z]+)?\.[ch]pp$')
forbid '^#include +<netlink/' "only plugin/os/netlink* includes libnl" "${files[@]}"

readarray -t files < <(files_but '^plugin/(web/http|kubernetes/exchange)\.cpp$')
forbid '^#include +<boost/' "only one file of the server and one of the client include Boost: it compiles slowly" "${files[@]}"

readarray -t files < <(files_but '^plugin/kubernetes/tls\.cpp$')
forbid '^#include +<(mbedtls|psa)/' "only plugin/kubernetes/tls.cpp includes Mbed TLS" "${files[@]}"

readarray -t files < <(files_but '^plugin/os/|^test/')
forbid '^#include +<linux/netfilter' "only plugin/os reads the packet filter" "${files[@]}"

readarray -t files < <(files_but '^(plugin/cri|test)/')
forbid '^#include +<(nghttp2|protozero)/' "only plugin/cri speaks gRPC" "${files[@]}"

readarray -t files < <(files_but '\.cpp$|^test/')
forbid '^#include +<nlohmann/' "JSON stays in the .cpp files that parse and print it" "${files[@]}"

readarray -t files < <(files_but '^test/')
forbid '^#include +(<catch2/|"(\.\./)*(test|support)/)' "the plugin knows nothing of its tests" "${files[@]}"
forbid '^#(if|ifdef|ifndef|elif)\b.*TEST' "no switch for testing in production code" "${files[@]}"

# What a library keeps for itself is another in its next release. Deriving opens its protected members too, so only those
# of its classes are derived from that are made for it.
internals='([Dd]etails?|[Ii]mpl|[Ii]nternal)'
forbid "^[^/]*::$internals(_v\d+)?\b|^#include +<.*/$internals/|\bstd::__" "a library's internals are its own" "${code[@]}"
bases="(\b(class|struct) +\w+( +final)? *:|^ *[:,](?= *(virtual|public|protected|private)\b))( *(virtual|public|protected|private)\b)* *"
may_be_base='std::|(sallyport|test|fuzz|web|kubernetes|cri|grpc)::|CLI::Formatter\b|Catch::EventListenerBase\b'
forbid "^[^/]*$bases(?!$may_be_base)(::)?\w+::" "a library's class is used, not derived from" "${code[@]}"

# The process is a function, `run()`; main only calls it.
lines=$(grep -cvE '^ *(//|$)' plugin/main.cpp)
[ "$lines" -le 20 ] || { echo "plugin/main.cpp: $lines lines of code, at most 20"; status=1; }
exit $status
