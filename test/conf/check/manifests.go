// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// newDecoder refuses what an API server refuses with fieldValidation=Strict: unknown fields, wrong types, a key given
// twice.
func newDecoder() runtime.Decoder {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme, rbacv1.AddToScheme,
		admissionv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	options := json.SerializerOptions{Yaml: true, Strict: true}
	return json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, options)
}

// documents splits a YAML stream; one of comments alone is left out.
func documents(path string) ([][]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	var found [][]byte
	for {
		document, err := reader.Read()
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		var value any
		if err := yaml.Unmarshal(document, &value); err != nil {
			return nil, err
		}
		if value != nil {
			found = append(found, document)
		}
	}
}

// identity is what no two documents of one cluster may share.
func identity(document []byte) (kind, name string, err error) {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
		} `json:"metadata"`
	}
	if err := yaml.Unmarshal(document, &head); err != nil {
		return "", "", err
	}
	if head.APIVersion == "" || head.Kind == "" || head.Metadata.Name == "" {
		return "", "", fmt.Errorf("lacks apiVersion, kind or metadata.name")
	}
	return head.APIVersion + " " + head.Kind, head.Metadata.Namespace + "/" + head.Metadata.Name, nil
}

func checkDocument(decoder runtime.Decoder, source *apiSource, schemas *crdSchemas, document []byte) []string {
	kind, _, err := identity(document)
	if err != nil {
		return []string{err.Error()}
	}
	if schema, ok := schemas.find(kind); ok {
		return schema.check(document)
	}
	object, _, err := decoder.Decode(document, nil, nil)
	if err != nil {
		return []string{err.Error()}
	}
	var raw map[string]any
	if err := yaml.Unmarshal(document, &raw); err != nil {
		return []string{err.Error()}
	}
	problems := source.check(object, raw)
	accessor, err := meta.Accessor(object)
	if err != nil {
		return append(problems, err.Error())
	}
	problems = append(problems, checkMetadata(accessor, object)...)
	problems = append(problems, checkSecondApply(object, raw)...)
	return append(problems, checkObject(object)...)
}

func checkManifests(schemaDirectory string, paths []string) []string {
	schemas, err := loadSchemas(schemaDirectory)
	if err != nil {
		return []string{err.Error()}
	}
	source, err := readAPISource()
	if err != nil {
		return []string{err.Error()}
	}
	decoder := newDecoder()
	var problems []string
	for _, path := range paths {
		found, err := documents(path)
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("holds no document")
		}
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", path, err))
		}
		seen := map[string]bool{}
		for _, document := range found {
			kind, name, _ := identity(document)
			place := fmt.Sprintf("%s: %s %s: ", filepath.Clean(path), kind, name)
			if seen[kind+name] {
				problems = append(problems, place+"is there twice")
			}
			seen[kind+name] = true
			for _, problem := range checkDocument(decoder, source, schemas, document) {
				problems = append(problems, place+problem)
			}
		}
	}
	return problems
}
