# SPDX-License-Identifier: Apache-2.0
#
# The commands that users know by heart; CMake does the work (CMakePresets.json). All but `all` and `clean` install what is
# missing, and need root for that alone where something is.
# A root whose PATH has no sbin, as after a plain `su`, doesn't find ip, tc, nginx, and dpkg refuses to work.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

.PHONY: all releases setup test fuzz soak tidy demo bench gateways gvisor nerdctl kernels fresh cluster cluster-shell cluster-down \
	e2e image deb clean

all: build/build.ninja
	cmake --build --preset release

build/build.ninja: CMakeLists.txt CMakePresets.json
	cmake --preset release

setup:
	.ci/setup --build-only

test:
	.ci/setup
	.ci/test

# What a night is for. All three are part of `make test` in a short form; a seed makes the fuzzer's packets the same again.
fuzz: setup build/build.ninja
	cmake --build --preset release --target fuzz_tests
	SALLYPORT_FUZZ_PACKETS=$${SALLYPORT_FUZZ_PACKETS:-1000000} SALLYPORT_FUZZ_SEED=$${SALLYPORT_FUZZ_SEED:-$$(date +%s)} \
		build/fuzz_tests

soak: setup build/build.ninja
	cmake --build --preset release --target sallyport node_tests
	SALLYPORT_SOAK=1 build/node_tests "[load],[soak]"
	[ -z "$$SALLYPORT_CRIO" ] || { cmake --build --preset release --target runtime_tests && \
		SALLYPORT_SOAK=1 build/runtime_tests "[crio][load]"; }

tidy:
	.ci/setup
	test/lint/tidy.sh all

demo: setup
	$(MAKE) --no-print-directory all
	test/demo/run

# Side by side with portmap and an empty process; timing never fails a test, so it has a command of its own.
bench: setup
	$(MAKE) all
	test/bench/run

# Eleven real servers, and how they end behind a node port; downloads those that Debian hasn't. Prints a table.
gateways: setup build/build.ninja
	.ci/setup
	.ci/setup-gateways
	cmake --build --preset release --target sallyport gateways_tests
	SALLYPORT_GATEWAYS=/usr/local/lib/sallyport-deps/gateways build/gateways_tests "[gateways],[quic]"

# Pods of a real gVisor, in whose namespace nobody sees a socket; compiles it first, for some minutes.
gvisor: setup build/build.ninja
	.ci/setup
	.ci/setup-gvisor
	cmake --build --preset release --target sallyport node_tests runtime_gateway
	SALLYPORT_RUNSC=/usr/local/lib/sallyport-deps/gvisor/runsc build/node_tests "[serves]"

# Containers of a real nerdctl, in whose list we stand in portmap's place; compiles it first, for some minutes.
nerdctl: setup build/build.ninja
	.ci/setup
	.ci/setup-nerdctl
	cmake --build --preset release --target sallyport runtime_tests
	SALLYPORT_NERDCTL=/usr/local/lib/sallyport-deps/nerdctl/nerdctl build/runtime_tests "[nerdctl]"

# The same node in virtual machines with Debian's 5.10, 6.1 and 6.12 kernels, of amd64 and arm64; downloads them.
kernels: setup build/build.ninja
	.ci/setup-kernels
	cmake --build --preset release --target sallyport kernels_peer
	cmake --preset arm64
	cmake --build --preset arm64 --target sallyport kernels_peer
	test/kernels/run

# The README's two commands on new machines, Debian 12 and 13, for an hour or more: before a release. RELEASE=trixie, STEP=demo:
# one of them.
fresh:
	test/fresh/run

# A Kubernetes cluster of two nodes in namespaces of this machine, with Sallyport's image on them: stays until `make cluster-down`. Compiles
# Kubernetes first: 13 minutes of processor time. cluster-shell: a shell of an outside client, with kubectl.
cluster:
	.ci/setup
	.ci/setup-cluster
	$(MAKE) --no-print-directory image
	test/cluster/up

# What is promised, on that cluster, with a load that counts failed requests; prints a table. ROLLOUTS=20: so many of each gateway.
e2e: cluster
	test/cluster/e2e/run

cluster-shell:
	test/cluster/shell

cluster-down:
	test/cluster/down

# Both for amd64 and arm64, on a machine of the former. CMake first: a new commit is a new version text.
releases: setup
	.ci/setup-images
	cmake --preset release && cmake --build --preset release
	cmake --preset arm64 && cmake --build --preset arm64

image: releases
	conf/image/build

# The commit's time: the same commit gives the same bytes.
deb: export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || stat -c %Y CMakeLists.txt)
deb: releases
	cpack --config build/CPackConfig.cmake -B build
	cpack --config build/arm64/CPackConfig.cmake -B build

clean:
	rm -rf build
