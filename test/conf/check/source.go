// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"reflect"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

// apiSource is what Kubernetes' OpenAPI schema says beyond the Go types, and says it from the same source: which fields
// are required (neither `omitempty` nor `+optional`), and which values a type marked `+enum` may have.
type apiSource struct {
	required  map[string]bool            // "package.Type.field", by its JSON name
	closed    map[string]bool            // "package.Type" that has no values but its constants
	constants map[string]map[string]bool // "package.Type" -> values
}

var apiPackages = []string{
	"k8s.io/api/core/v1", "k8s.io/api/apps/v1", "k8s.io/api/networking/v1", "k8s.io/api/policy/v1",
	"k8s.io/api/rbac/v1",
	"k8s.io/api/admissionregistration/v1", "k8s.io/apimachinery/pkg/apis/meta/v1",
}

func readAPISource() (*apiSource, error) {
	source := &apiSource{map[string]bool{}, map[string]bool{}, map[string]map[string]bool{}}
	for _, path := range apiPackages {
		found, err := build.Import(path, "", build.FindOnly)
		if err != nil {
			return nil, err
		}
		packages, err := parser.ParseDir(token.NewFileSet(), found.Dir, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, parsed := range packages {
			for _, file := range parsed.Files {
				source.readFile(path, file)
			}
		}
	}
	for _, name := range unmarked {
		source.closed[name] = true
	}
	if len(source.required) < 100 || len(source.closed) < 20 {
		return nil, fmt.Errorf("found %d required fields and %d enumerations in k8s.io/api: has its source changed?",
			len(source.required), len(source.closed))
	}
	return source, nil
}

// unmarked are closed sets that an API server validates in code, without a mark in the types.
var unmarked = []string{
	"k8s.io/api/admissionregistration/v1.FailurePolicyType", "k8s.io/api/admissionregistration/v1.MatchPolicyType",
	"k8s.io/api/admissionregistration/v1.OperationType", "k8s.io/api/admissionregistration/v1.ValidationAction",
	"k8s.io/api/apps/v1.DaemonSetUpdateStrategyType", "k8s.io/api/apps/v1.DeploymentStrategyType",
	"k8s.io/apimachinery/pkg/apis/meta/v1.LabelSelectorOperator",
}

func (source *apiSource) readFile(path string, file *ast.File) {
	for _, declaration := range file.Decls {
		general, ok := declaration.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range general.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				name := path + "." + spec.Name.Name
				if structure, ok := spec.Type.(*ast.StructType); ok {
					source.readStruct(name, structure)
				} else if hasMarker(general.Doc, "+enum") || hasMarker(spec.Doc, "+enum") {
					source.closed[name] = true
				}
			case *ast.ValueSpec:
				source.readConstant(path, spec)
			}
		}
	}
}

// hasMarker reads the comment as it stands: CommentGroup.Text() leaves some markers out.
func hasMarker(doc *ast.CommentGroup, marker string) bool {
	if doc == nil {
		return false
	}
	for _, comment := range doc.List {
		text := strings.TrimSpace(strings.TrimPrefix(comment.Text, "//"))
		if text == marker || strings.HasPrefix(text, marker+"=") {
			return true
		}
	}
	return false
}

func (source *apiSource) readStruct(name string, structure *ast.StructType) {
	for _, field := range structure.Fields.List {
		if field.Tag == nil {
			continue
		}
		tag, _ := strconv.Unquote(field.Tag.Value)
		json, options, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
		if json != "" && json != "-" && !strings.Contains(options, "omitempty") && !hasMarker(field.Doc, "+optional") {
			source.required[name+"."+json] = true
		}
	}
}

func (source *apiSource) readConstant(path string, spec *ast.ValueSpec) {
	named, ok := spec.Type.(*ast.Ident)
	if !ok {
		return
	}
	name := path + "." + named.Name
	if source.constants[name] == nil {
		source.constants[name] = map[string]bool{}
	}
	for _, value := range spec.Values {
		if literal, ok := value.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			text, _ := strconv.Unquote(literal.Value)
			source.constants[name][text] = true
		}
	}
}

// check walks a decoded object and the document it came from side by side: only the document knows what was left out.
func (source *apiSource) check(object runtime.Object, raw map[string]any) []string {
	var problems []string
	source.walk(reflect.ValueOf(object), raw, "", &problems)
	return problems
}

func (source *apiSource) walk(value reflect.Value, raw any, place string, problems *[]string) {
	name := value.Type().PkgPath() + "." + value.Type().Name()
	switch value.Kind() {
	case reflect.Pointer:
		if !value.IsNil() {
			source.walk(value.Elem(), raw, place, problems)
		}
	case reflect.Struct:
		if members, ok := raw.(map[string]any); ok {
			source.walkStruct(value, name, members, place, problems)
		}
	case reflect.Slice:
		elements, _ := raw.([]any)
		for i := 0; i < value.Len() && i < len(elements); i++ {
			source.walk(value.Index(i), elements[i], fmt.Sprintf("%s[%d]", place, i), problems)
		}
	case reflect.Map:
		members, _ := raw.(map[string]any)
		for _, key := range value.MapKeys() {
			source.walk(value.MapIndex(key), members[key.String()], place+"."+key.String(), problems)
		}
	case reflect.String:
		if source.closed[name] && value.String() != "" && !source.constants[name][value.String()] {
			*problems = append(*problems, fmt.Sprintf("%s: %q is no %s", place, value, value.Type().Name()))
		}
	}
}

func (source *apiSource) walkStruct(value reflect.Value, name string, raw map[string]any, place string,
	problems *[]string) {
	for i := 0; i < value.NumField(); i++ {
		field := value.Type().Field(i)
		json, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if json == "" && strings.Contains(options, "inline") {
			source.walk(value.Field(i), raw, place, problems)
			continue
		}
		member, given := raw[json]
		if !given || member == nil {
			if source.required[name+"."+json] {
				*problems = append(*problems, place+"."+json+": is required")
			}
			continue
		}
		source.walk(value.Field(i), member, place+"."+json, problems)
	}
}
