// Pause is the first process of a pod: it holds the pod's namespaces and waits. Where the containers of a pod share
// their processes it is also who ends the orphans.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	told := make(chan os.Signal, 8)
	signal.Notify(told, syscall.SIGCHLD, syscall.SIGINT, syscall.SIGTERM)
	for which := range told {
		if which != syscall.SIGCHLD {
			os.Exit(0)
		}
		for {
			if ended, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); ended <= 0 || err != nil {
				break
			}
		}
	}
}
