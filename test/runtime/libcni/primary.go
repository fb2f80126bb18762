// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const gateway = "10.7.0.254" // the host's address on every pod's device

// ip runs ip(8), each line a command of its own.
func ip(lines ...string) error {
	for _, line := range lines {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", line, err, out)
		}
	}
	return nil
}

// callPrimary is the plugin before Sallyport: container pod-<n> gets the address 10.7.0.<n>. What it is called for stands
// in the file `calls` beside its directory.
func callPrimary(command string) error {
	id := os.Getenv("CNI_CONTAINERID")
	log, err := os.OpenFile(filepath.Dir(os.Getenv("CNI_PATH"))+"/calls", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	fmt.Fprintln(log, command, id)
	switch number := strings.TrimPrefix(id, "pod-"); command {
	case "ADD":
		return attach(os.Getenv("CNI_NETNS"), "lxc"+number, "10.7.0."+number)
	case "DEL":
		_ = ip("link del lxc" + number) // gone with its namespace, perhaps
	}
	return nil
}

func attach(netns, device, address string) error {
	inside := "-n " + filepath.Base(netns) + " "
	if err := ip("link add "+device+" type veth peer name eth0 netns "+filepath.Base(netns),
		"addr add "+gateway+"/32 dev "+device, "link set "+device+" up", "route add "+address+"/32 dev "+device,
		inside+"addr add "+address+"/32 dev eth0", inside+"link set eth0 up",
		inside+"route add "+gateway+"/32 dev eth0", inside+"route add default via "+gateway); err != nil {
		return err
	}
	var config struct{ CNIVersion string }
	if err := json.NewDecoder(os.Stdin).Decode(&config); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"cniVersion": config.CNIVersion,
		"interfaces": []any{map[string]string{"name": device}, map[string]string{"name": "eth0", "sandbox": netns}},
		"ips":        []any{map[string]any{"address": address + "/32", "gateway": gateway, "interface": 1}},
	})
}

func answer(port, text string) error {
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		return err
	}
	fmt.Println("listening")
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		fmt.Fprint(connection, text)
		connection.Close()
	}
}

func ask(address string) string {
	connection, err := net.DialTimeout("tcp", address, 10*time.Second)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "refused"
	}
	if err != nil {
		return err.Error()
	}
	defer connection.Close()
	said, err := io.ReadAll(connection)
	if err != nil {
		return err.Error()
	}
	return string(said)
}
