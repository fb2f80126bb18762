// Copyright The Sallyport Authors
// SPDX-License-Identifier: Apache-2.0

// A gateway's stand-in: over HTTP and UDP it says who asks, and who answers. `/slow?seconds=3` takes so long, `/healthz` is for probes.
// Told to end, it closes its listener and lets requests end. PORT: where it listens, 8080 by default.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

func greeting(client string) string {
	host, _, _ := net.SplitHostPort(client)
	name, _ := os.Hostname()
	return fmt.Sprintf("hello %s, this is %s\n", host, name)
}

func answerDatagrams(address string) {
	socket, err := net.ListenPacket("udp", address)
	if err != nil {
		log.Fatal(err)
	}
	buffer := make([]byte, 65536)
	for {
		_, client, err := socket.ReadFrom(buffer)
		if err == nil {
			_, _ = socket.WriteTo([]byte(greeting(client.String())), client)
		}
	}
}

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	http.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		seconds, _ := strconv.ParseFloat(r.URL.Query().Get("seconds"), 64)
		time.Sleep(time.Duration(seconds * float64(time.Second)))
		fmt.Fprint(w, greeting(r.RemoteAddr))
	})
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, greeting(r.RemoteAddr)) })

	go answerDatagrams(":" + port)
	server := &http.Server{Addr: ":" + port}
	drained := make(chan struct{})
	go func() {
		told := make(chan os.Signal, 1)
		signal.Notify(told, syscall.SIGTERM, syscall.SIGINT)
		<-told
		_ = server.Shutdown(context.Background())
		close(drained)
	}()
	log.Printf("listening on %s", server.Addr)
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	<-drained
}
