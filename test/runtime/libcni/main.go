// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0

// Plays a container runtime that remembers, in CRI-O's order and with libcni itself, on a node of its own: see
// scenarios.go. Called by libcni it is the primary plugin; it is the pods' server and the client outside, too.
package main

import (
	"fmt"
	"os"
)

const usage = `libcni DIRECTORY        play everything; sallyport and the primary plugin are in DIRECTORY/bin
libcni answer PORT TEXT say TEXT to whoever connects
libcni ask ADDRESS      what they say there
`

func main() {
	arguments := os.Args[1:]
	var err error
	switch {
	case os.Getenv("CNI_COMMAND") != "":
		err = callPrimary(os.Getenv("CNI_COMMAND"))
	case len(arguments) == 3 && arguments[0] == "answer":
		err = answer(arguments[1], arguments[2])
	case len(arguments) == 2 && arguments[0] == "ask":
		fmt.Print(ask(arguments[1]))
	case len(arguments) == 1:
		err = playAll(arguments[0])
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
