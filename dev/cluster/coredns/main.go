// Command coredns is CoreDNS with no more plugins than a cluster's names take.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
)

func main() {
	// The order in which plugins see a question, as CoreDNS's own plugin.cfg has it.
	dnsserver.Directives = []string{"ready", "errors", "kubernetes"}
	coremain.Run()
}
