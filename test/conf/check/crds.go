// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"
	"sigs.k8s.io/yaml"
)

// crdSchemas are of kinds that aren't Kubernetes' own: <Kind>.yaml of the schema directory.
type crdSchemas struct{ byKind map[string]*crdSchema }

type crdSchema struct {
	APIVersion string      `json:"apiVersion"`
	Kind       string      `json:"kind"`
	Schema     spec.Schema `json:"schema"`
}

func loadSchemas(directory string) (*crdSchemas, error) {
	paths, err := filepath.Glob(filepath.Join(directory, "*.yaml"))
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no schemas in %s", directory)
	}
	schemas := &crdSchemas{map[string]*crdSchema{}}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		schema := &crdSchema{}
		if err := yaml.UnmarshalStrict(content, schema); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		schemas.byKind[schema.APIVersion+" "+schema.Kind] = schema
	}
	return schemas, nil
}

func (schemas *crdSchemas) find(kind string) (*crdSchema, bool) {
	schema, ok := schemas.byKind[kind]
	return schema, ok
}

func (schema *crdSchema) check(document []byte) []string {
	var object map[string]any
	if err := yaml.UnmarshalStrict(document, &object); err != nil {
		return []string{err.Error()}
	}
	var problems []string
	result := validate.NewSchemaValidator(&schema.Schema, nil, "spec", strfmt.Default).Validate(object["spec"])
	for _, err := range result.Errors {
		problems = append(problems, err.Error())
	}
	unknownFields(&schema.Schema, object["spec"], "spec", &problems)
	for key := range object {
		if key != "apiVersion" && key != "kind" && key != "metadata" && key != "spec" {
			problems = append(problems, key+": is unknown")
		}
	}
	return problems
}

// unknownFields finds what an API server with fieldValidation=Strict would refuse and one without would drop in
// silence; the validator, made for CRDs as servers hold them, lets it pass.
func unknownFields(schema *spec.Schema, value any, place string, problems *[]string) {
	switch value := value.(type) {
	case map[string]any:
		for key, member := range value {
			if property, ok := schema.Properties[key]; ok {
				unknownFields(&property, member, place+"."+key, problems)
			} else if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
				unknownFields(schema.AdditionalProperties.Schema, member, place+"."+key, problems)
			} else {
				*problems = append(*problems, place+"."+key+": is unknown")
			}
		}
	case []any:
		for i, element := range value {
			if schema.Items != nil && schema.Items.Schema != nil {
				unknownFields(schema.Items.Schema, element, fmt.Sprintf("%s[%d]", place, i), problems)
			}
		}
	}
}
