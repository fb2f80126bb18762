// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// checkSecondApply tells what a second `kubectl apply` of the same manifest would change, and would call "configured": what
// an API server writes in another way (quantities), and lists without a merge key, which are compared as a whole, where
// it adds a default to their elements.
func checkSecondApply(object runtime.Object, raw map[string]any) []string {
	stored := object.DeepCopyObject()
	setDefaultsInLists(stored)
	text, err := json.Marshal(stored)
	if err != nil {
		return []string{err.Error()}
	}
	var live map[string]any
	if err := json.Unmarshal(text, &live); err != nil {
		return []string{err.Error()}
	}
	r := &report{}
	compare(r, "", raw, live, reflect.TypeOf(object).Elem(), "")
	return r.problems
}

// setDefaultsInLists does what Kubernetes' pkg/apis/*/v1/defaults.go do to elements of lists without a merge key. The other
// defaults are of fields that the manifest leaves alone, and so does kubectl.
func setDefaultsInLists(object runtime.Object) {
	switch object := object.(type) {
	case *admissionv1.ValidatingAdmissionPolicy:
		if constraints := object.Spec.MatchConstraints; constraints != nil {
			all := admissionv1.AllScopes
			for _, rules := range [][]admissionv1.NamedRuleWithOperations{constraints.ResourceRules, constraints.ExcludeResourceRules} {
				for i := range rules {
					if rules[i].Scope == nil {
						rules[i].Scope = &all
					}
				}
			}
		}
	case *networkingv1.NetworkPolicy:
		for _, rule := range object.Spec.Ingress {
			setProtocols(rule.Ports)
		}
		for _, rule := range object.Spec.Egress {
			setProtocols(rule.Ports)
		}
	case *rbacv1.ClusterRoleBinding:
		for i := range object.Subjects {
			if subject := &object.Subjects[i]; subject.APIGroup == "" && subject.Kind != rbacv1.ServiceAccountKind {
				subject.APIGroup = rbacv1.GroupName
			}
		}
	}
}

func setProtocols(ports []networkingv1.NetworkPolicyPort) {
	tcp := corev1.ProtocolTCP
	for i := range ports {
		if ports[i].Protocol == nil {
			ports[i].Protocol = &tcp
		}
	}
}

// compare goes by Kubernetes' own types, whose fields say by which key the elements of a list are merged.
func compare(r *report, place string, raw, live any, goType reflect.Type, mergeKey string) {
	for goType.Kind() == reflect.Pointer {
		goType = goType.Elem()
	}
	if fields, ok := raw.(map[string]any); ok {
		stored, _ := live.(map[string]any)
		for name, value := range fields {
			compare(r, strings.TrimPrefix(place+"."+name, "."), value, stored[name], elementType(goType, name), mergeKeyOf(goType, name))
		}
		return
	}
	elements, isList := raw.([]any)
	if isList && mergeKey != "" {
		for _, element := range elements {
			fields, _ := element.(map[string]any)
			compareMerged(r, fmt.Sprintf("%s[%v]", place, fields[mergeKey]), element, find(live, mergeKey, fields[mergeKey]), goType.Elem())
		}
		return
	}
	if !reflect.DeepEqual(raw, live) {
		r.add(place, "a second apply would change it, as the API server makes %v of %v", live, raw)
	}
}

// compareMerged holds an element against those with its key: ports of two protocols have the same one.
func compareMerged(r *report, place string, element any, candidates []any, goType reflect.Type) {
	problems := []string{place + ": a second apply would add it"}
	for _, candidate := range candidates {
		one := &report{}
		compare(one, place, element, candidate, goType, "")
		problems = one.problems
		if len(problems) == 0 {
			return
		}
	}
	r.problems = append(r.problems, problems...)
}

func elementType(goType reflect.Type, name string) reflect.Type {
	switch goType.Kind() {
	case reflect.Map:
		return goType.Elem()
	case reflect.Struct:
		if found, ok := findField(goType, name); ok {
			return found
		}
	}
	return reflect.TypeOf("") // of a type that is written in a way of its own
}

func mergeKeyOf(goType reflect.Type, name string) string {
	if goType.Kind() != reflect.Struct {
		return ""
	}
	for i := 0; i < goType.NumField(); i++ {
		if json, _, _ := strings.Cut(goType.Field(i).Tag.Get("json"), ","); json == name {
			return goType.Field(i).Tag.Get("patchMergeKey")
		}
	}
	return ""
}

func find(list any, key string, value any) []any {
	var found []any
	elements, _ := list.([]any)
	for _, element := range elements {
		if fields, ok := element.(map[string]any); ok && fields[key] == value {
			found = append(found, element)
		}
	}
	return found
}
