// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"fmt"
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
)

// What a runtime takes for a capability; an unknown name is found out only when the container starts.
var knownCapabilities = strings.Fields(`
	ALL AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE
	DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE
	MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID
	SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE
	SYS_TIME SYS_TTY_CONFIG SYSLOG WAKE_ALARM`)

func checkPod(r *report, place string, pod *corev1.PodSpec) {
	volumes := map[string]bool{}
	for i := range pod.Volumes {
		volume := &pod.Volumes[i]
		at := fmt.Sprintf("%s.volumes[%d]", place, i)
		r.all(at+".name", utilvalidation.IsDNS1123Label(volume.Name))
		if volumes[volume.Name] {
			r.add(at, "%q is there twice", volume.Name)
		}
		volumes[volume.Name] = true
		if host := volume.HostPath; host != nil && (!path.IsAbs(host.Path) || path.Clean(host.Path) != host.Path) {
			r.add(at+".hostPath.path", "%q isn't a clean absolute path", host.Path)
		}
	}
	if len(pod.Containers) == 0 {
		r.add(place, "has no containers")
	}
	names, mounted := map[string]bool{}, map[string]bool{}
	check := func(list string, containers []corev1.Container) {
		for i := range containers {
			at := fmt.Sprintf("%s.%s[%d]", place, list, i)
			if names[containers[i].Name] {
				r.add(at, "%q is there twice", containers[i].Name)
			}
			names[containers[i].Name] = true
			checkContainer(r, at, pod, &containers[i], volumes, mounted)
		}
	}
	check("initContainers", pod.InitContainers)
	check("containers", pod.Containers)
	for name := range volumes {
		if !mounted[name] {
			r.add(place+".volumes", "%q is mounted nowhere", name)
		}
	}
	for i, toleration := range pod.Tolerations {
		exists := toleration.Operator == corev1.TolerationOpExists
		if exists && toleration.Value != "" || !exists && toleration.Key == "" {
			r.add(fmt.Sprintf("%s.tolerations[%d]", place, i), "operator, key and value don't fit together")
		}
	}
}

func checkContainer(r *report, place string, pod *corev1.PodSpec, container *corev1.Container,
	volumes, mounted map[string]bool) {
	r.all(place+".name", utilvalidation.IsDNS1123Label(container.Name))
	if container.Image == "" || strings.ContainsAny(container.Image, " \t\n") {
		r.add(place+".image", "%q is no image", container.Image)
	}
	checkPorts(r, place, pod, container)
	paths := map[string]bool{}
	for i, mount := range container.VolumeMounts {
		at := fmt.Sprintf("%s.volumeMounts[%d]", place, i)
		if !volumes[mount.Name] {
			r.add(at, "there is no volume %q", mount.Name)
		}
		mounted[mount.Name] = true
		if !path.IsAbs(mount.MountPath) || paths[mount.MountPath] {
			r.add(at+".mountPath", "%q isn't absolute, or there twice", mount.MountPath)
		}
		paths[mount.MountPath] = true
		if mount.MountPropagation != nil && *mount.MountPropagation == corev1.MountPropagationBidirectional &&
			!isPrivileged(container) {
			r.add(at+".mountPropagation", "Bidirectional is for privileged containers")
		}
	}
	for name, request := range container.Resources.Requests {
		if limit, ok := container.Resources.Limits[name]; ok && request.Cmp(limit) > 0 {
			r.add(place+".resources", "requests more %s than its limit", name)
		}
	}
	checkProbe(r, place+".livenessProbe", container, container.LivenessProbe)
	checkProbe(r, place+".readinessProbe", container, container.ReadinessProbe)
	checkProbe(r, place+".startupProbe", container, container.StartupProbe)
	if container.SecurityContext != nil && container.SecurityContext.Capabilities != nil {
		capabilities := container.SecurityContext.Capabilities
		for _, capability := range append(append([]corev1.Capability{}, capabilities.Add...), capabilities.Drop...) {
			if !contains(knownCapabilities, string(capability)) {
				r.add(place+".securityContext.capabilities", "%q is none (it is written without CAP_)", capability)
			}
		}
	}
}

func isPrivileged(container *corev1.Container) bool {
	context := container.SecurityContext
	return context != nil && context.Privileged != nil && *context.Privileged
}

func checkPorts(r *report, place string, pod *corev1.PodSpec, container *corev1.Container) {
	for i, port := range container.Ports {
		at := fmt.Sprintf("%s.ports[%d]", place, i)
		r.all(at+".containerPort", utilvalidation.IsValidPortNum(int(port.ContainerPort)))
		if port.Name != "" {
			r.all(at+".name", utilvalidation.IsValidPortName(port.Name))
		}
		if pod.HostNetwork && port.HostPort != 0 && port.HostPort != port.ContainerPort {
			r.add(at+".hostPort", "is containerPort under hostNetwork")
		}
	}
}

func checkProbe(r *report, place string, container *corev1.Container, probe *corev1.Probe) {
	if probe == nil {
		return
	}
	handlers := 0
	for _, given := range []bool{probe.HTTPGet != nil, probe.TCPSocket != nil, probe.Exec != nil, probe.GRPC != nil} {
		if given {
			handlers++
		}
	}
	if handlers != 1 {
		r.add(place, "has %d handlers, not one", handlers)
	}
	if probe.HTTPGet == nil {
		return
	}
	if !strings.HasPrefix(probe.HTTPGet.Path, "/") {
		r.add(place+".httpGet.path", "%q doesn't begin with /", probe.HTTPGet.Path)
	}
	named := probe.HTTPGet.Port.StrVal
	for _, port := range container.Ports {
		if port.Name == named {
			return
		}
	}
	if named != "" {
		r.add(place+".httpGet.port", "the container has no port named %q", named)
	}
}

func contains(list []string, wanted string) bool {
	for _, element := range list {
		if element == wanted {
			return true
		}
	}
	return false
}
