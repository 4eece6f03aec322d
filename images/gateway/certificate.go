package main

import (
	"bytes"
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// Between two looks at the files. The kubelet itself takes up to two minutes to write them.
const look = 10 * time.Second

// certificate is what two files held when they last made sense.
type certificate struct {
	folder string
	texts  [2][]byte
	pair   atomic.Pointer[tls.Certificate]
}

func readCertificate(folder string) (*certificate, error) {
	c := &certificate{folder: folder}
	_, err := c.renew()
	return c, err
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.pair.Load(), nil
}

// follow reads the files again and again. Half of a renewed pair is an error, and is not shown.
func (c *certificate) follow(every time.Duration) {
	for range time.Tick(every) {
		if renewed, err := c.renew(); err != nil {
			slog.Error("the certificate stays as it was", "error", err)
		} else if renewed {
			slog.Info("a renewed certificate is shown", "until", c.pair.Load().Leaf.NotAfter)
		}
	}
}

func (c *certificate) renew() (bool, error) {
	var texts [2][]byte
	for i, name := range []string{"tls.crt", "tls.key"} {
		text, err := os.ReadFile(filepath.Join(c.folder, name))
		if err != nil {
			return false, err
		}
		texts[i] = text
	}
	if bytes.Equal(texts[0], c.texts[0]) && bytes.Equal(texts[1], c.texts[1]) {
		return false, nil
	}
	pair, err := tls.X509KeyPair(texts[0], texts[1])
	if err != nil {
		return false, err
	}
	c.texts = texts
	c.pair.Store(&pair)
	return true, nil
}
