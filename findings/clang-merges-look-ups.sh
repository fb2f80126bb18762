#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# clang and the kernel's verifier: `x ? bpf_map_lookup_elem(&a, &key) : bpf_map_lookup_elem(&b, &key)` is two calls in the source and
# one in the program, and then the kernel inlines neither.
#
# clang sinks the call behind the branch: it is the same helper, with another first argument. The verifier sees one call with two
# maps, gives up knowing which ("map_ptr_poison"), and leaves a call of the general helper, which finds the map's own function by a
# pointer. With the calls kept apart, by an empty asm behind one of them, both are a direct call of the hash table's function. In a
# program of some 450 ns for each packet that was a tenth. Nothing says so: both load, and both are right.
#
# Seen with clang 14.0.6 and 19.1, -O2, and kernel 6.18; calls in the loaded programs (`bpftool prog dump xlated`):
#   in one expression   bpf_map_lookup_elem
#   kept apart          __htab_map_lookup_elem, twice
set -euo pipefail

for program in clang bpftool; do
    command -v $program >/dev/null || { echo "no $program; on Debian: apt-get install clang libbpf-dev bpftool" >&2; exit 2; }
done

# Its bpffs goes with its mount namespace.
if [ "${1:-}" = --inside ]; then
    mount -t bpf bpf "$2"/bpffs
    bpftool prog loadall "$2"/look_up.o "$2"/bpffs/programs type tc
    for program in one_expression kept_apart; do
        echo $program: $(bpftool prog dump xlated pinned "$2"/bpffs/programs/$program | sed -n 's/.* call \([a-z_]*\)#.*/\1/p')
    done
    exit
fi
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir"/bpffs
cat >"$dir"/look_up.c <<'C'
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct table {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, __u32);
	__type(value, __u64);
	__uint(max_entries, 8);
};
struct table a SEC(".maps"), b SEC(".maps");

SEC("tc")
int one_expression(struct __sk_buff *skb)
{
	__u32 key = skb->len;
	__u64 *value = skb->mark == 17 ? bpf_map_lookup_elem(&a, &key) : bpf_map_lookup_elem(&b, &key);

	return value ? *value & 1 : 0;
}

SEC("tc")
int kept_apart(struct __sk_buff *skb)
{
	__u32 key = skb->len;
	__u64 *value;

	if (skb->mark == 17) {
		value = bpf_map_lookup_elem(&a, &key);
		asm volatile("" : "+r"(value));
	} else {
		value = bpf_map_lookup_elem(&b, &key);
	}
	return value ? *value & 1 : 0;
}
C
clang -target bpf -O2 -g -I"/usr/include/$(uname -m)-linux-gnu" -c "$dir"/look_up.c -o "$dir"/look_up.o
unshare --mount "$0" --inside "$dir" | tee "$dir"/output
diff - "$dir"/output <<'WANTED' || { echo "changed" >&2; exit 1; }
one_expression: bpf_map_lookup_elem
kept_apart: __htab_map_lookup_elem __htab_map_lookup_elem
WANTED
