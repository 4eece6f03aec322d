// Command gateway brings shoppers to the stores of a cell: TLS with one certificate for all of them, by host name to
// the pods behind each store's Ingress. It lists and watches Ingresses and EndpointSlices, and needs no other right.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)))
	class := flag.String("class", "", "the class of the Ingresses that are served")
	folder := flag.String("certificate", "", "the folder with tls.crt and tls.key")
	plain := flag.String("http", "", "the address where callers are sent to https")
	secure := flag.String("https", "", "the address where stores are served")
	drain := flag.Duration("drain", 0, "how long new callers are still taken after SIGTERM")
	kubeconfig := flag.String("kubeconfig", "", "how to reach the API server; none in a pod")
	flag.Parse()
	if err := run(*class, *folder, *plain, *secure, *kubeconfig, *drain); err != nil {
		slog.Error("the gateway ends", "error", err)
		os.Exit(1)
	}
}

func run(class, folder, plain, secure, kubeconfig string, drain time.Duration) error {
	ending, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	shown, err := readCertificate(folder)
	if err != nil {
		return err
	}
	go shown.follow(look)
	// Nobody is answered 404 because the stores are not known yet.
	known, err := watch(ending, config, class)
	if err != nil {
		return err
	}
	var leaving atomic.Bool
	servers := []*http.Server{
		server(plain, toHTTPS(known, &leaving)),
		server(secure, logged(toStores(known))),
	}
	servers[1].TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: shown.get}
	failed := make(chan error, len(servers))
	for _, each := range servers {
		go func() { failed <- serve(each) }()
	}
	select {
	case err := <-failed:
		return err
	case <-ending.Done():
	}
	leaving.Store(true)
	time.Sleep(drain) // until whoever sends callers here has heard of it
	for _, each := range servers {
		if err := each.Shutdown(context.Background()); err != nil {
			return err
		}
	}
	return nil
}

func serve(each *http.Server) error {
	listener, err := net.Listen("tcp", each.Addr)
	if err != nil {
		return err
	}
	if each.TLSConfig != nil {
		err = each.ServeTLS(listener, "", "")
	} else {
		err = each.Serve(listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// server has the limits within which a caller may be slow. A shop takes bodies of 64 MB, which are ten minutes at
// 1 Mbit/s, and may think for two minutes.
func server(address string, handler http.Handler) *http.Server {
	return &http.Server{
		Addr:              address,
		Handler:           handler,
		ReadHeaderTimeout: 20 * time.Second,
		ReadTimeout:       10 * time.Minute,
		WriteTimeout:      15 * time.Minute,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug), // callers' mistakes
	}
}
