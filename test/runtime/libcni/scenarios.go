// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/containernetworking/cni/pkg/types"
)

const (
	node       = "192.0.2.1" // at eth0
	second     = "192.0.3.1" // at eth1
	setting    = "/run/config.json"
	everything = "/run/bpf/sallyport"
)

var (
	exposes80  = map[string]string{"sallyport.dev/expose": "80:9080"}
	exposes443 = map[string]string{"sallyport.dev/expose": "443:9080"}
	plain      = map[string]string{"kubernetes.io/config.source": "api"}
)

// entry is ours, with these keys over the usual ones.
func entry(changes map[string]any) map[string]any {
	usual := map[string]any{
		"type": "sallyport", "capabilities": map[string]bool{capability: true}, "devices": []string{"eth0"},
		"gateways":    map[string]any{"namespaces": []string{"gateways"}, "ports": []int{80, 443}},
		"localAccess": false, "reservePorts": false,
		"bpffs": "/run/bpf", "stateDir": "/run/state", "logFile": "/run/log",
	}
	maps.Copy(usual, changes)
	return usual
}

// play is one scenario: its steps stop at the first one that fails.
type play struct {
	*runtime
	err  error
	pods []*pod
}

func (p *play) must(err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *play) run(number int, annotations map[string]string) *pod {
	if p.err != nil {
		return nil
	}
	started, err := p.start(number, annotations)
	p.must(err)
	if started != nil {
		p.pods = append(p.pods, started)
	}
	if p.err == nil {
		p.must(p.serve(started))
	}
	return started
}

func (p *play) hears(address, text string) {
	if p.err != nil {
		return
	}
	if said := p.asked(address); said != text {
		p.err = fmt.Errorf("%s says %q, expected %q", address, said, text)
	}
}

// do is for steps on pods that may not be there, when an earlier one has failed.
func (p *play) do(step func() error) {
	if p.err == nil {
		p.must(step())
	}
}

// nothingLeft of us, of the primary plugin's devices, and in libcni's cache.
func (p *play) nothingLeft() error {
	if _, err := os.Stat(everything); !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is still there", everything)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		links, err := exec.Command("ip", "-brief", "link").Output()
		if err == nil && !strings.Contains(string(links), "lxc") {
			break
		}
		if time.Now().After(end) { // a namespace's devices go a moment after it
			return fmt.Errorf("the primary plugin's DEL didn't come: %s", links)
		}
	}
	if cached, _ := os.ReadDir(p.directory + "/cache/results"); len(cached) > 0 {
		return fmt.Errorf("libcni still remembers %s", cached[0].Name())
	}
	return nil
}

func inOrder(version string) func(*play) {
	return func(p *play) {
		p.must(p.writeList(version, entry(nil)))
		gateway, other := p.run(1, exposes80), p.run(2, plain)
		p.hears(node+":80", "pod-1")
		p.do(func() error { return p.restart(gateway, other) })
		p.hears(node+":80", "pod-1")
		p.do(func() error {
			refused, err := p.start(3, map[string]string{"sallyport.dev/expose": "22:9080"})
			if refused == nil || err == nil || !strings.Contains(err.Error(), "node port 22 isn't allowed") {
				return fmt.Errorf("port 22: %w", err)
			}
			refused.vanish()
			return nil
		})
		p.do(func() error { return errors.Join(p.stop(gateway), p.stop(other)) })
		p.hears(node+":80", "refused")
	}
}

func listChanges(p *play) {
	p.must(p.writeList("1.1.0", entry(nil)))
	gateway := p.run(1, exposes80)
	p.must(p.writeList("1.1.0", entry(map[string]any{"devices": []string{"eth1"}, "addresses": []string{"192.0.4.1"}})))
	later := p.run(2, exposes443)
	p.hears(second+":80", "pod-1")
	p.do(func() error { return p.restart(gateway, later) })

	p.must(p.writeList("1.1.0", entry(map[string]any{"gatways": "all", "devices": 7})))
	other := p.run(3, plain)
	p.do(func() error { return p.restart(gateway, later, other) })
	p.hears(second+":80", "pod-1")
	p.hears(second+":443", "pod-2")
	p.do(func() error { return errors.Join(p.stop(gateway), p.stop(later), p.stop(other)) })
	p.hears(second+":80", "refused")
}

func entryComesLater(p *play) {
	p.must(p.writeList("1.1.0"))
	earlier := p.run(1, exposes80)
	p.must(p.writeList("1.1.0", entry(nil)))
	p.do(func() error { return p.restart(earlier) })
	p.hears(node+":80", "refused")
	later := p.run(2, exposes80)
	p.do(func() error { return p.restart(earlier, later) })
	p.do(func() error { return p.stop(earlier) })
	p.hears(node+":80", "pod-2")
	p.do(func() error { return p.stop(later) })
}

func uninstalled(p *play) {
	p.must(p.writeList("1.1.0", entry(nil)))
	gateway, other := p.run(1, exposes80), p.run(2, plain)
	// The program stays in bin, as it does where the runtime says that it is CRI-O.
	p.do(func() error {
		out, err := exec.Command(p.directory+"/bin/sallyport", "uninstall", "--config", setting, "--cri-socket", "off",
			"--cni-conf-dir", p.directory+"/net.d", "--cni-bin-dir", p.directory+"/elsewhere").CombinedOutput()
		if err != nil {
			return fmt.Errorf("uninstall: %w: %s", err, out)
		}
		return nil
	})
	p.hears(node+":80", "refused")
	p.do(func() error { return p.restart(gateway, other) })
	p.do(func() error { return errors.Join(p.stop(gateway), p.stop(other)) })
}

func rebooted(p *play) {
	p.must(p.writeList("1.1.0", entry(nil)))
	gateway := p.run(1, exposes80)
	p.do(func() error { gateway.vanish(); return p.end(gateway) })
	p.do(p.nothingLeft)
	gateway = p.run(1, exposes80)
	p.hears(node+":80", "pod-1")
	p.do(func() error {
		gateway.vanish()
		if err := remountBpffs(); err != nil {
			return err
		}
		return p.end(gateway)
	})
}

func binaryMissing(p *play) {
	p.must(p.writeList("1.1.0", entry(nil)))
	gateway, stays := p.run(1, exposes80), p.run(2, exposes443)
	binary := p.directory + "/bin/sallyport"
	p.must(os.Rename(binary, binary+".away"))
	p.do(func() error {
		if p.stop(gateway) == nil {
			return errors.New("DEL without our program succeeded")
		}
		return nil
	})
	p.must(os.Rename(binary+".away", binary))
	p.do(func() error { return p.restart(stays) })
	p.hears(node+":80", "refused")
	p.hears(node+":443", "pod-2")
	p.do(func() error { return p.stop(stays) })
}

// collected makes a GC that is all we hear of pods which libcni has forgotten.
func collected(valid []types.GCAttachment) func(*play) {
	return func(p *play) {
		p.must(p.writeList("1.1.0", entry(nil)))
		gateway := p.run(1, exposes80)
		p.do(func() error { return p.forget(gateway) })
		p.do(func() error { return p.restart() })
		p.hears(node+":80", "refused")
		p.do(func() error { gateway.vanish(); return nil })

		gateway = p.run(2, exposes80)
		p.hears(node+":80", "pod-2")
		p.do(func() error { return p.forget(gateway) })
		p.do(func() error { return p.gc(valid) })
		p.hears(node+":80", "refused")
		p.do(func() error { gateway.vanish(); return nil })
	}
}

func playAll(directory string) error {
	runtime, err := newRuntime(directory)
	if err != nil {
		return err
	}
	if err := makeNode(); err != nil {
		return err
	}
	var failures []error
	for _, scenario := range []struct {
		name  string
		steps func(*play)
	}{
		{"ADD, CHECK, STATUS, GC, CHECK, DEL with a list of 1.1.0", inOrder("1.1.0")},
		{"the same with a list of 1.0.0", inOrder("1.0.0")},
		{"the list changes", listChanges},
		{"our entry comes later", entryComesLater},
		{"we are uninstalled", uninstalled},
		{"the node is started anew", rebooted},
		{"our program is missing once", binaryMissing},
		{"GC with an empty list", collected([]types.GCAttachment{})},
		{"GC with null", collected(nil)},
	} {
		play := &play{runtime: runtime}
		scenario.steps(play)
		play.do(play.nothingLeft)
		fmt.Println(scenario.name+":", map[bool]string{true: "ok", false: "FAILED"}[play.err == nil])
		if play.err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", scenario.name, play.err))
			for _, pod := range play.pods {
				pod.vanish()
			}
			_ = os.RemoveAll(directory + "/cache")
			failures = append(failures, remountBpffs())
		}
	}
	return errors.Join(failures...)
}
