# SPDX-License-Identifier: Apache-2.0
#
# The commands that users know by heart; CMake does the work (CMakePresets.json). As root: test and demo install what is missing.
.PHONY: all setup test fuzz soak demo bench kernels clean

all: build/build.ninja
	cmake --build --preset release

build/build.ninja: CMakeLists.txt CMakePresets.json
	cmake --preset release

setup:
	.ci/setup

test: setup
	.ci/test

# What a night is for. Both are part of `make test` in a short form; a seed makes the fuzzer's packets the same again.
fuzz: setup build/build.ninja
	cmake --build --preset release --target fuzz_tests
	SALLYPORT_FUZZ_PACKETS=$${SALLYPORT_FUZZ_PACKETS:-1000000} SALLYPORT_FUZZ_SEED=$${SALLYPORT_FUZZ_SEED:-$$(date +%s)} \
		build/fuzz_tests

soak: setup build/build.ninja
	cmake --build --preset release --target sallyport node_tests
	SALLYPORT_SOAK=1 build/node_tests "[load]"

# Only `test` needs the browser of .ci/setup-page.
demo bench fuzz soak: export SALLYPORT_PAGE := no

demo: setup
	$(MAKE) --no-print-directory all
	test/demo/run

# Side by side with portmap and an empty process; timing never fails a test, so it has a command of its own.
bench: setup
	$(MAKE) all
	test/bench/run

# The same node in virtual machines with Debian's 5.10, 6.1 and 6.12 kernels; downloads them, and needs qemu.
kernels: all
	test/kernels/run

clean:
	rm -rf build
