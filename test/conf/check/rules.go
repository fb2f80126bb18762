// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// report collects problems with the place that each is at.
type report struct{ problems []string }

func (r *report) add(place, format string, arguments ...any) {
	r.problems = append(r.problems, place+": "+fmt.Sprintf(format, arguments...))
}

func (r *report) all(place string, messages []string) {
	for _, message := range messages {
		r.add(place, "%s", message)
	}
}

func (r *report) errors(errors field.ErrorList) {
	for _, err := range errors {
		r.problems = append(r.problems, err.Error())
	}
}

var clusterScoped = map[string]bool{
	"Namespace": true, "ClusterRole": true, "ClusterRoleBinding": true,
	"ValidatingAdmissionPolicy": true, "ValidatingAdmissionPolicyBinding": true,
}

func checkMetadata(object metav1.Object, typed runtime.Object) []string {
	r := &report{}
	kind := typed.GetObjectKind().GroupVersionKind().Kind
	r.all("metadata.name", utilvalidation.IsDNS1123Subdomain(object.GetName()))
	if namespace := object.GetNamespace(); clusterScoped[kind] && namespace != "" {
		r.add("metadata.namespace", "a %s has none", kind)
	} else if !clusterScoped[kind] {
		r.all("metadata.namespace", utilvalidation.IsDNS1123Label(namespace))
	}
	checkKeys(r, "metadata", object.GetLabels(), object.GetAnnotations())
	return r.problems
}

func checkKeys(r *report, place string, labelled, annotations map[string]string) {
	r.errors(validation.ValidateLabels(labelled, field.NewPath(place, "labels")))
	for key := range annotations {
		r.all(place+".annotations", utilvalidation.IsQualifiedName(strings.ToLower(key)))
	}
}

func checkObject(object runtime.Object) []string {
	r := &report{}
	switch object := object.(type) {
	case *appsv1.DaemonSet:
		checkTemplate(r, object.Spec.Selector, &object.Spec.Template)
		if rolling := object.Spec.UpdateStrategy.RollingUpdate; rolling != nil {
			checkRolling(r, "spec.updateStrategy.rollingUpdate", rolling.MaxUnavailable, rolling.MaxSurge)
			surge := rolling.MaxSurge
			if surge != nil && surge.String() != "0" && object.Spec.Template.Spec.HostNetwork {
				r.add("spec.updateStrategy.rollingUpdate.maxSurge", "two pods can't have the node's ports")
			}
		}
	case *appsv1.Deployment:
		checkTemplate(r, object.Spec.Selector, &object.Spec.Template)
		if rolling := object.Spec.Strategy.RollingUpdate; rolling != nil {
			checkRolling(r, "spec.strategy.rollingUpdate", rolling.MaxUnavailable, rolling.MaxSurge)
		}
	case *corev1.Pod:
		checkPod(r, "spec", &object.Spec)
	case *corev1.Service:
		for i, port := range object.Spec.Ports {
			r.all(fmt.Sprintf("spec.ports[%d].port", i), utilvalidation.IsValidPortNum(int(port.Port)))
		}
	case *corev1.ConfigMap:
		for key := range object.Data {
			r.all("data", utilvalidation.IsConfigMapKey(key))
		}
	case *networkingv1.NetworkPolicy:
		r.errors(validation.ValidateLabelSelector(&object.Spec.PodSelector, validation.LabelSelectorValidationOptions{},
			field.NewPath("spec", "podSelector")))
		for i, rule := range object.Spec.Ingress {
			checkPeers(r, fmt.Sprintf("spec.ingress[%d].from", i), rule.From)
		}
		for i, rule := range object.Spec.Egress {
			checkPeers(r, fmt.Sprintf("spec.egress[%d].to", i), rule.To)
		}
	case *admissionv1.ValidatingAdmissionPolicy:
		r.problems = append(r.problems, checkPolicy(object)...)
	case *admissionv1.ValidatingAdmissionPolicyBinding:
		if object.Spec.PolicyName == "" || len(object.Spec.ValidationActions) == 0 {
			r.add("spec", "policyName and validationActions are required")
		}
	}
	return r.problems
}

func checkPeers(r *report, place string, peers []networkingv1.NetworkPolicyPeer) {
	for i, peer := range peers {
		place := fmt.Sprintf("%s[%d]", place, i)
		if peer.IPBlock == nil {
			continue
		}
		if peer.PodSelector != nil || peer.NamespaceSelector != nil {
			r.add(place, "ipBlock stands alone")
		}
		r.errors(utilvalidation.IsValidCIDR(field.NewPath(place, "ipBlock", "cidr"), peer.IPBlock.CIDR))
		for _, except := range peer.IPBlock.Except {
			r.errors(utilvalidation.IsValidCIDR(field.NewPath(place, "ipBlock", "except"), except))
		}
	}
}

func checkRolling(r *report, place string, bounds ...*intstr.IntOrString) {
	zeros := 0
	for _, bound := range bounds {
		if bound == nil {
			continue
		}
		if bound.Type == intstr.String {
			r.all(place, utilvalidation.IsValidPercent(bound.StrVal))
		} else if bound.IntVal < 0 {
			r.add(place, "%d is negative", bound.IntVal)
		}
		if bound.String() == "0" || bound.String() == "0%" {
			zeros++
		}
	}
	if zeros == len(bounds) {
		r.add(place, "one of maxSurge and maxUnavailable must not be 0")
	}
}

func checkTemplate(r *report, selector *metav1.LabelSelector, template *corev1.PodTemplateSpec) {
	r.errors(validation.ValidateLabelSelector(selector, validation.LabelSelectorValidationOptions{},
		field.NewPath("spec", "selector")))
	selects, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		r.add("spec.selector", "%v", err)
	} else if selects.Empty() || !selects.Matches(labels.Set(template.Labels)) {
		r.add("spec.selector", "doesn't match the template's labels")
	}
	checkKeys(r, "spec.template.metadata", template.Labels, template.Annotations)
	checkPod(r, "spec.template.spec", &template.Spec)
}
