// An HTTP server and client in Go; arguments: "serve" and a port, or "ask" and a URL.
package main

import (
	"io"
	"net/http"
	"os"
	"path"
	"strconv"
)

func main() {
	if os.Args[1] == "ask" {
		answer, err := http.Get(os.Args[2])
		if err != nil {
			panic(err)
		}
		io.Copy(io.Discard, answer.Body)
		return
	}
	panic(http.ListenAndServe("127.0.0.1:"+os.Args[2], http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		size, _ := strconv.Atoi(path.Base(in.URL.Path))
		body := make([]byte, size)
		for i := range body {
			body[i] = byte(i % 251)
		}
		out.Write(body)
	})))
}
