// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
)

const capability = "io.kubernetes.cri.pod-annotations"

// runtime does with libcni what CRI-O 1.37 was seen to do: ADD by today's list and then CHECK; at its own start STATUS
// and GC by today's list, and a CHECK of every pod by the list that libcni cached when that pod was added; DEL by the
// cached list, once, whether it fails or not; after an ADD that failed one DEL by today's list.
type runtime struct {
	directory string
	cni       *libcni.CNIConfig
	self      string
}

type pod struct {
	rt     *libcni.RuntimeConf
	server *exec.Cmd
}

func newRuntime(directory string) (*runtime, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cni := libcni.NewCNIConfigWithCacheDir([]string{directory + "/bin"}, directory+"/cache", nil)
	return &runtime{directory, cni, self}, os.MkdirAll(directory+"/net.d", 0o755)
}

func (r *runtime) listFile() string { return r.directory + "/net.d/10-pods.conflist" }

// writeList makes today's list: the primary plugin, and what follows it.
func (r *runtime) writeList(version string, entries ...map[string]any) error {
	plugins := []map[string]any{{"type": "primary"}}
	text, err := json.Marshal(map[string]any{"cniVersion": version, "name": "pods", "plugins": append(plugins, entries...)})
	if err != nil {
		return err
	}
	return os.WriteFile(r.listFile(), text, 0o600)
}

func (r *runtime) today() (*libcni.NetworkConfigList, error) {
	return libcni.NetworkConfFromFile(r.listFile())
}

// cached is the list of the day when the pod was added, and with what else it was; today's where nothing is cached.
func (r *runtime) cached(p *pod) (*libcni.NetworkConfigList, *libcni.RuntimeConf, error) {
	list, err := r.today()
	if err != nil {
		return nil, nil, err
	}
	text, rt, err := r.cni.GetNetworkListCachedConfig(list, p.rt)
	if err != nil || text == nil {
		return list, p.rt, err
	}
	list, err = libcni.NetworkConfFromBytes(text)
	return list, rt, err
}

// start returns the pod also where its ADD failed.
func (r *runtime) start(number int, annotations map[string]string) (*pod, error) {
	name := fmt.Sprintf("pod-%d", number)
	if err := ip("netns add " + name); err != nil {
		return nil, err
	}
	p := &pod{rt: &libcni.RuntimeConf{
		ContainerID: name, NetNS: "/run/netns/" + name, IfName: "eth0",
		Args: [][2]string{{"IgnoreUnknown", "1"}, {"K8S_POD_NAMESPACE", "gateways"}, {"K8S_POD_NAME", name},
			{"K8S_POD_INFRA_CONTAINER_ID", name}, {"K8S_POD_UID", "uid-of-" + name}},
		CapabilityArgs: map[string]any{capability: annotations},
	}}
	list, err := r.today()
	if err != nil {
		return p, err
	}
	if _, err := r.cni.AddNetworkList(context.Background(), list, p.rt); err != nil {
		if failure := r.cni.DelNetworkList(context.Background(), list, p.rt); failure != nil {
			return p, fmt.Errorf("DEL after a failed ADD: %w", failure)
		}
		return p, err
	}
	return p, r.check(p)
}

func (r *runtime) check(p *pod) error {
	list, rt, err := r.cached(p)
	if err == nil {
		err = r.cni.CheckNetworkList(context.Background(), list, rt)
	}
	if err != nil {
		return fmt.Errorf("CHECK of %s: %w", p.rt.ContainerID, err)
	}
	return nil
}

// restart is what happens at the runtime's own start, with these pods running.
func (r *runtime) restart(pods ...*pod) error {
	list, err := r.today()
	if err != nil {
		return err
	}
	if err := r.cni.GetStatusNetworkList(context.Background(), list); err != nil {
		return fmt.Errorf("STATUS: %w", err)
	}
	valid := []types.GCAttachment{}
	for _, p := range pods {
		valid = append(valid, types.GCAttachment{ContainerID: p.rt.ContainerID, IfName: p.rt.IfName})
	}
	if err := r.gc(valid); err != nil {
		return err
	}
	for _, p := range pods {
		if err := r.check(p); err != nil {
			return err
		}
	}
	return nil
}

// gc hands nil on as JSON's null.
func (r *runtime) gc(valid []types.GCAttachment) error {
	list, err := r.today()
	if err == nil {
		err = r.cni.GCNetworkList(context.Background(), list, &libcni.GCArgs{ValidAttachments: valid})
	}
	if err != nil {
		return fmt.Errorf("GC: %w", err)
	}
	return nil
}

// end is DEL with what is left of the pod.
func (r *runtime) end(p *pod) error {
	list, rt, err := r.cached(p)
	if err == nil {
		err = r.cni.DelNetworkList(context.Background(), list, rt)
	}
	if err != nil {
		return fmt.Errorf("DEL of %s: %w", p.rt.ContainerID, err)
	}
	return nil
}

// stop is end, and then the namespace goes, also where that failed.
func (r *runtime) stop(p *pod) error {
	err := r.end(p)
	p.vanish()
	return err
}

// vanish takes the pod's process and namespace away, as at a reboot.
func (p *pod) vanish() {
	if p.server != nil {
		_ = p.server.Process.Kill()
		_ = p.server.Wait()
		p.server = nil
	}
	_ = ip("netns del " + filepath.Base(p.rt.NetNS))
}

// forget takes away what libcni remembers of the pod.
func (r *runtime) forget(p *pod) error {
	return os.Remove(r.directory + "/cache/results/pods-" + p.rt.ContainerID + "-eth0")
}

// serve makes the pod say its name on port 9080.
func (r *runtime) serve(p *pod) error {
	p.server = exec.Command("ip", "netns", "exec", filepath.Base(p.rt.NetNS), r.self, "answer", "9080", p.rt.ContainerID)
	out, err := p.server.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.server.Start(); err != nil {
		return err
	}
	if said, err := bufio.NewReader(out).ReadString('\n'); err != nil && err != io.EOF || said != "listening\n" {
		return fmt.Errorf("%s doesn't listen: %s %w", p.rt.ContainerID, said, err)
	}
	return nil
}

// asked is what the client outside gets to hear.
func (r *runtime) asked(address string) string {
	out, err := exec.Command("ip", "netns", "exec", "client", r.self, "ask", address).CombinedOutput()
	if err != nil {
		return string(out) + err.Error()
	}
	return string(out)
}
