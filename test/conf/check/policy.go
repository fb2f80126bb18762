// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"fmt"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
	admissionv1 "k8s.io/api/admission/v1"
	registrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
)

// newEnvironment is what an API server of 1.30 offers to a policy of cluster resources: of its own libraries those that
// cel-go brings too. With `kind`, an object's fields are those of that Go type, and an unknown one doesn't compile:
// what a server only warns of. Without, objects are dynamic, as when it evaluates.
func newEnvironment(kind any) (*cel.Env, error) {
	types := newTypeProvider()
	object, request, namespace := cel.DynType, cel.DynType, cel.DynType
	if kind != nil {
		object = types.typeOf(kind)
		request = types.typeOf(admissionv1.AdmissionRequest{})
		namespace = types.typeOf(corev1.Namespace{})
	}
	return cel.NewEnv(
		cel.HomogeneousAggregateLiterals(), cel.EagerlyValidateDeclarations(true), cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true), cel.OptionalTypes(), ext.Strings(ext.StringsVersion(2)), ext.Sets(),
		cel.CustomTypeProvider(types),
		cel.Variable("object", object), cel.Variable("oldObject", object), cel.Variable("request", request),
		cel.Variable("namespaceObject", namespace), cel.Variable("params", cel.DynType),
		cel.Variable("variables", cel.MapType(cel.StringType, cel.DynType)))
}

// expression is one of a policy's, with the type that it must have.
type expression struct {
	place, text string
	want        *cel.Type
}

func expressionsOf(policy *registrationv1.ValidatingAdmissionPolicy) []expression {
	var found []expression
	for i, condition := range policy.Spec.MatchConditions {
		place := fmt.Sprintf("spec.matchConditions[%d].expression", i)
		found = append(found, expression{place, condition.Expression, cel.BoolType})
	}
	for i, variable := range policy.Spec.Variables {
		found = append(found, expression{fmt.Sprintf("spec.variables[%d].expression", i), variable.Expression, nil})
	}
	for i, validation := range policy.Spec.Validations {
		place := fmt.Sprintf("spec.validations[%d]", i)
		found = append(found, expression{place + ".expression", validation.Expression, cel.BoolType})
		if validation.MessageExpression != "" {
			place += ".messageExpression"
			found = append(found, expression{place, validation.MessageExpression, cel.StringType})
		}
	}
	return found
}

func compile(environment *cel.Env, source expression) (*cel.Ast, error) {
	ast, issues := environment.Compile(source.text)
	if issues != nil && issues.Err() != nil {
		return nil, issues.Err()
	}
	if source.want != nil && !ast.OutputType().IsExactType(source.want) && !ast.OutputType().IsExactType(cel.DynType) {
		return nil, fmt.Errorf("is a %s, not a %s", ast.OutputType(), source.want)
	}
	return ast, nil
}

// kindsOf are the Go types behind the resources that a policy of ours may watch; one that isn't here can't be checked,
// so it is refused.
var kindsOf = map[string]any{
	"pods": corev1.Pod{}, "pods/status": corev1.Pod{}, "pods/binding": corev1.Binding{}, "bindings": corev1.Binding{},
}

func checkPolicy(policy *registrationv1.ValidatingAdmissionPolicy) []string {
	r := &report{}
	if policy.Spec.FailurePolicy == nil || *policy.Spec.FailurePolicy != registrationv1.Fail {
		r.add("spec.failurePolicy", "isn't Fail: an error would let everything through")
	}
	matched := policy.Spec.MatchConstraints
	if matched == nil || len(matched.ResourceRules) == 0 || len(policy.Spec.Validations) == 0 {
		r.add("spec", "matches or validates nothing")
		return r.problems
	}
	for i, condition := range policy.Spec.MatchConditions {
		r.all(fmt.Sprintf("spec.matchConditions[%d].name", i), utilvalidation.IsQualifiedName(condition.Name))
	}
	for i, validation := range policy.Spec.Validations {
		if validation.MessageExpression == "" && validation.Message == "" {
			r.add(fmt.Sprintf("spec.validations[%d]", i), "refuses without saying why")
		}
	}
	for _, rule := range matched.ResourceRules {
		for _, resource := range rule.Resources {
			kind, ok := kindsOf[resource]
			if !ok {
				r.add("spec.matchConstraints", "%q isn't among %v", resource, kindsOf)
				continue
			}
			environment, err := newEnvironment(kind)
			if err != nil {
				r.add("cel", "%v", err)
				continue
			}
			for _, source := range expressionsOf(policy) {
				if _, err := compile(environment, source); err != nil {
					r.add(source.place, "for %s: %s", resource, strings.ReplaceAll(err.Error(), "\n", " "))
				}
			}
		}
	}
	return r.problems
}
