// CoreDNS with the plugins that a cluster's Corefile names, and no others: the stock one links the libraries of three
// clouds. Answers of plugins are tried in the order of CoreDNS's own list, not of this one.
package main

import (
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/file"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
)

func main() {
	coremain.Run()
}
