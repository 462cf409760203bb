// An HTTPS client and server by Go's own crypto/tls, for tests.
//
//	tls client <port> <connections> <size>...   waits for a line, then asks on so many connections at once
//	tls server <certificate>                    prints its port, serves until stdin ends
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	must(err)
	return n
}

func wait() { _, _ = bufio.NewReader(os.Stdin).ReadString('\n') }

func ask(port string, sizes []string) {
	settings := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}
	client := http.Client{Transport: &http.Transport{TLSClientConfig: settings, MaxConnsPerHost: 1}}
	for _, size := range sizes {
		answer, err := client.Post("https://127.0.0.1:"+port+"/"+size, "application/octet-stream",
			bytes.NewReader(make([]byte, number(size))))
		must(err)
		data, err := io.ReadAll(answer.Body)
		must(err)
		must(answer.Body.Close())
		if len(data) != number(size) {
			must(fmt.Errorf("%d bytes in place of %s", len(data), size))
		}
	}
	client.CloseIdleConnections()
}

func clients(port string, connections int, sizes []string) {
	fmt.Println("ready")
	wait()
	var all sync.WaitGroup
	for i := 0; i < connections; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			ask(port, sizes)
		}()
	}
	all.Wait()
}

func answer(w http.ResponseWriter, r *http.Request) {
	_, err := io.Copy(io.Discard, r.Body)
	must(err)
	data := make([]byte, number(strings.Trim(r.URL.Path, "/")))
	for i := range data {
		data[i] = byte(i * 7)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(data)))
	_, err = w.Write(data)
	must(err)
}

func serve(certificate string) {
	pair, err := tls.LoadX509KeyPair(certificate, certificate)
	must(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	settings := &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: []string{"http/1.1"}}
	server := http.Server{Handler: http.HandlerFunc(answer)}
	go func() { _ = server.Serve(tls.NewListener(listener, settings)) }()
	wait()
	_ = server.Close()
}

func main() {
	if os.Args[1] == "client" {
		clients(os.Args[2], number(os.Args[3]), os.Args[4:])
	} else {
		serve(os.Args[2])
	}
}
