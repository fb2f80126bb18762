// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0
package main

import (
	"reflect"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// typeProvider shows Go's API types to CEL's type checker under their JSON names.
type typeProvider struct {
	*types.Registry
	structs map[string]reflect.Type
}

func newTypeProvider() *typeProvider {
	registry, err := types.NewRegistry()
	if err != nil {
		panic(err)
	}
	return &typeProvider{registry, map[string]reflect.Type{}}
}

func (provider *typeProvider) typeOf(value any) *cel.Type { return provider.of(reflect.TypeOf(value)) }

func (provider *typeProvider) of(goType reflect.Type) *cel.Type {
	switch goType {
	case reflect.TypeOf(metav1.Time{}), reflect.TypeOf(metav1.MicroTime{}), reflect.TypeOf(time.Time{}):
		return cel.TimestampType
	case reflect.TypeOf(intstr.IntOrString{}):
		return cel.DynType
	}
	switch goType.Kind() {
	case reflect.Pointer:
		return provider.of(goType.Elem())
	case reflect.Bool:
		return cel.BoolType
	case reflect.String:
		return cel.StringType
	case reflect.Int, reflect.Int32, reflect.Int64:
		return cel.IntType
	case reflect.Slice:
		if goType.Elem().Kind() == reflect.Uint8 {
			return cel.BytesType
		}
		return cel.ListType(provider.of(goType.Elem()))
	case reflect.Map:
		return cel.MapType(cel.StringType, provider.of(goType.Elem()))
	case reflect.Struct:
		name := strings.ReplaceAll(goType.PkgPath(), "/", ".") + "." + goType.Name()
		provider.structs[name] = goType
		return cel.ObjectType(name)
	}
	return cel.DynType
}

func (provider *typeProvider) FindStructType(name string) (*types.Type, bool) {
	if _, ok := provider.structs[name]; ok {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return provider.Registry.FindStructType(name)
}

func (provider *typeProvider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if goType, ok := provider.structs[name]; ok {
		found, ok := findField(goType, field)
		if !ok {
			return nil, false
		}
		return &types.FieldType{Type: provider.of(found)}, true
	}
	return provider.Registry.FindStructFieldType(name, field)
}

func findField(goType reflect.Type, name string) (reflect.Type, bool) {
	for i := 0; i < goType.NumField(); i++ {
		field := goType.Field(i)
		json, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		if json == "" && strings.Contains(options, "inline") {
			if found, ok := findField(field.Type, name); ok {
				return found, true
			}
		} else if json == name {
			return field.Type, true
		}
	}
	return nil, false
}
