// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/google/cel-go/cel"
	registrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// admissionCase is one request and what the policy must say to it: "unasked" where its rules or conditions don't apply,
// and it costs a request no more than them.
type admissionCase struct {
	Name      string         `json:"name"`
	Operation string         `json:"operation"`
	Resource  string         `json:"resource"`
	Namespace map[string]any `json:"namespace"` // its metadata
	Object    map[string]any `json:"object"`
	OldObject map[string]any `json:"oldObject"`
	Want      string         `json:"want"`    // allowed, refused or unasked
	Message   []string       `json:"message"` // parts of the refusal
}

// request as CEL sees it.
func (c *admissionCase) activation() map[string]any {
	resource, subresource, _ := strings.Cut(c.Resource, "/")
	name, _ := stringAt(c.Object, "metadata", "name")
	variables := map[string]any{
		"object": c.Object, "oldObject": nil, "params": nil, "variables": map[string]any{},
		"namespaceObject": map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": c.Namespace},
		"request": map[string]any{
			"operation": c.Operation, "namespace": c.Namespace["name"], "name": name, "subResource": subresource,
			"resource": map[string]any{"group": "", "version": "v1", "resource": resource},
		},
	}
	if c.OldObject != nil {
		variables["oldObject"] = c.OldObject
	}
	return variables
}

func stringAt(object map[string]any, path ...string) (string, bool) {
	var value any = object
	for _, key := range path {
		members, ok := value.(map[string]any)
		if !ok {
			return "", false
		}
		value = members[key]
	}
	text, ok := value.(string)
	return text, ok
}

func evaluate(environment *cel.Env, source expression, variables map[string]any) (any, error) {
	ast, err := compile(environment, source)
	if err != nil {
		return nil, err
	}
	// The server's own bound on what one expression may cost.
	program, err := environment.Program(ast, cel.CostLimit(1000000), cel.InterruptCheckFrequency(100))
	if err != nil {
		return nil, err
	}
	value, _, err := program.Eval(variables)
	if err != nil {
		return nil, err
	}
	return value.Value(), nil
}

func isTrue(environment *cel.Env, text string, variables map[string]any) (bool, error) {
	value, err := evaluate(environment, expression{"", text, cel.BoolType}, variables)
	if err != nil {
		return false, err
	}
	truth, ok := value.(bool)
	if !ok {
		return false, fmt.Errorf("%v is no bool", value)
	}
	return truth, nil
}

func rulesMatch(policy *registrationv1.ValidatingAdmissionPolicy, c *admissionCase) bool {
	for _, rule := range policy.Spec.MatchConstraints.ResourceRules {
		for _, operation := range rule.Operations {
			if string(operation) == c.Operation && contains(rule.Resources, c.Resource) &&
				contains(rule.APIGroups, "") && contains(rule.APIVersions, "v1") {
				return true
			}
		}
	}
	return false
}

// decide goes the way that an API server goes: rules, match conditions (one that is false decides before one that
// fails), validations. An error refuses, as failurePolicy says.
func decide(environment *cel.Env, policy *registrationv1.ValidatingAdmissionPolicy, c *admissionCase) (string, string) {
	variables := c.activation()
	if !rulesMatch(policy, c) {
		return "unasked", ""
	}
	var failed error
	for _, condition := range policy.Spec.MatchConditions {
		holds, err := isTrue(environment, condition.Expression, variables)
		if err != nil {
			failed = err
		} else if !holds {
			return "unasked", ""
		}
	}
	if failed != nil {
		return "refused", failed.Error()
	}
	for _, validation := range policy.Spec.Validations {
		holds, err := isTrue(environment, validation.Expression, variables)
		if err != nil {
			return "refused", err.Error()
		}
		if holds {
			continue
		}
		message, err := evaluate(environment, expression{"", validation.MessageExpression, cel.StringType}, variables)
		text, ok := message.(string)
		if err != nil || !ok || text == "" || strings.Contains(text, "\n") {
			return "refused", fmt.Sprintf("(the message can't be made: %v, %v)", message, err)
		}
		return "refused", text
	}
	return "allowed", ""
}

func readPolicy(path string) (*registrationv1.ValidatingAdmissionPolicy, error) {
	found, err := documents(path)
	if err != nil {
		return nil, err
	}
	var decoded runtime.Object
	decoder := newDecoder()
	for _, document := range found {
		if decoded, _, err = decoder.Decode(document, nil, nil); err != nil {
			return nil, err
		}
		if policy, ok := decoded.(*registrationv1.ValidatingAdmissionPolicy); ok {
			return policy, nil
		}
	}
	return nil, fmt.Errorf("%s has no ValidatingAdmissionPolicy", path)
}

func checkAdmission(casesPath, policyPath string) []string {
	policy, err := readPolicy(policyPath)
	if err != nil {
		return []string{err.Error()}
	}
	environment, err := newEnvironment(nil)
	if err != nil {
		return []string{err.Error()}
	}
	content, err := os.ReadFile(casesPath)
	if err != nil {
		return []string{err.Error()}
	}
	var cases []admissionCase
	if err := yaml.UnmarshalStrict(content, &cases); err != nil {
		return []string{err.Error()}
	}
	var problems []string
	seen := map[string]int{}
	for i := range cases {
		got, message := decide(environment, policy, &cases[i])
		seen[got]++
		if got != cases[i].Want {
			problem := fmt.Sprintf("%s: is %s (%s), not %s", cases[i].Name, got, message, cases[i].Want)
			problems = append(problems, problem)
			continue
		}
		for _, part := range cases[i].Message {
			if !strings.Contains(message, part) {
				problems = append(problems, fmt.Sprintf("%s: %q isn't in the message %q", cases[i].Name, part, message))
			}
		}
	}
	if seen["allowed"] == 0 || seen["refused"] == 0 || seen["unasked"] == 0 {
		problems = append(problems, fmt.Sprintf("%s: not every answer is asked for: %v", casesPath, seen))
	}
	return problems
}
