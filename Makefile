# SPDX-License-Identifier: Apache-2.0
#
# The commands that users know by heart; CMake does the work (CMakePresets.json). As root: test and demo install what is missing.
.PHONY: all setup test demo bench kernels clean

all: build/build.ninja
	cmake --build --preset release

build/build.ninja: CMakeLists.txt CMakePresets.json
	cmake --preset release

setup:
	.ci/setup

test: setup
	.ci/test

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
