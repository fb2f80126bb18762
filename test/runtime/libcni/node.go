// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"encoding/json"
	"os"
	"syscall"
)

// makeNode makes of the namespaces that this program is in a node with two devices, and a client at their other ends.
func makeNode() error {
	if err := ip("link set lo up", "netns add client",
		"link add eth0 type veth peer name eth0 netns client", "link add eth1 type veth peer name eth1 netns client",
		"addr add "+node+"/24 dev eth0", "addr add "+second+"/24 dev eth1", "link set eth0 up", "link set eth1 up",
		"-n client addr add 192.0.2.2/24 dev eth0", "-n client addr add 192.0.3.2/24 dev eth1",
		"-n client link set eth0 up", "-n client link set eth1 up", "-n client link set lo up"); err != nil {
		return err
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return err
	}
	text, err := json.Marshal(entry(nil))
	if err != nil {
		return err
	}
	return os.WriteFile(setting, text, 0o600)
}

// remountBpffs leaves of it what a reboot leaves: nothing.
func remountBpffs() error {
	if err := syscall.Unmount("/run/bpf", syscall.MNT_DETACH); err != nil {
		return err
	}
	return syscall.Mount("bpf", "/run/bpf", "bpf", 0, "")
}
