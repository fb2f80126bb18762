// SPDX-License-Identifier: Apache-2.0

// Answers with what a file holds, and ends as the documentation of net/http has it.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

func main() {
	version := flag.Bool("version", false, "say which Go it is")
	flag.Parse()
	if *version {
		fmt.Println(runtime.Version())
		return
	}
	answer, err := os.ReadFile(flag.Arg(0))
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Addr: "0.0.0.0:9080", Handler: http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { w.Write(answer) })}
	ended := make(chan error)
	go func() {
		told := make(chan os.Signal, 1)
		signal.Notify(told, syscall.SIGTERM)
		<-told
		limit, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		ended <- server.Shutdown(limit)
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	if err := <-ended; err != nil {
		log.Fatal(err)
	}
}
