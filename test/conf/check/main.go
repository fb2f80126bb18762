// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0

// Holds manifests against what an API server would hold them against: Kubernetes' own types, decoded strictly; the
// fields that those types require and the values that they enumerate, read from their source; the rules for names,
// labels, ports and mounts that no schema has; for kinds of others, the schemas in ../schemas. And runs admission
// policies against objects. Talks to no cluster.
package main

import (
	"fmt"
	"os"
)

const usage = `check manifests SCHEMAS FILE...      every document of every file
check admission CASES POLICY         the policy against the cases of a file
`

func main() {
	arguments := os.Args[1:]
	var problems []string
	switch {
	case len(arguments) > 2 && arguments[0] == "manifests":
		problems = checkManifests(arguments[1], arguments[2:])
	case len(arguments) == 3 && arguments[0] == "admission":
		problems = checkAdmission(arguments[1], arguments[2])
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	for _, problem := range problems {
		fmt.Println(problem)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}
