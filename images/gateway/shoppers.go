package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync/atomic"
	"time"
)

const health = "/healthz"

// toHTTPS sends callers of stores to https. It tells those who ask it by no store's name whether to send anybody here.
func toHTTPS(known *stores, leaving *atomic.Bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, store := known.find(r.Host); store {
			host, _, err := net.SplitHostPort(r.Host)
			if err != nil {
				host = r.Host
			}
			w.Header().Set("Location", "https://"+host+r.URL.RequestURI())
			w.WriteHeader(http.StatusPermanentRedirect)
		} else if r.URL.Path != health {
			say(w, http.StatusNotFound)
		} else if leaving.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
}

type addressKey struct{}

// toStores brings each request to a ready pod of the store that its host name is.
func toStores(known *stores) http.Handler {
	proxy := &httputil.ReverseProxy{
		Transport: &http.Transport{
			DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
			ResponseHeaderTimeout: 130 * time.Second,
			DisableCompression:    true, // what a shop answers is passed on as it is
			// Apache hangs up after two idle seconds: a connection that is kept may be gone when it is wanted.
			DisableKeepAlives: true,
		},
		Rewrite:      rewrite,
		ErrorHandler: failed,
		ErrorLog:     slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug), // said by the status
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch address, store := known.find(r.Host); {
		case !store:
			say(w, http.StatusNotFound)
		case address == "":
			say(w, http.StatusServiceUnavailable)
		default:
			proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), addressKey{}, address)))
		}
	})
}

// rewrite leaves a request as it is, but for what a store believes of the way here: that comes from here alone.
func rewrite(r *httputil.ProxyRequest) {
	for name := range r.Out.Header {
		if strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "X-Urumi-") {
			r.Out.Header.Del(name)
		}
	}
	r.Out.Header.Del("X-Real-Ip")
	r.Out.Header.Set("X-Forwarded-For", caller(r.In))
	r.Out.Header.Set("X-Forwarded-Proto", "https")
	r.Out.URL.Scheme = "http"
	r.Out.URL.Host = r.In.Context().Value(addressKey{}).(string)
	r.Out.URL.RawQuery = r.In.URL.RawQuery
	r.Out.Host = r.In.Host
}

func failed(w http.ResponseWriter, r *http.Request, err error) {
	var network net.Error
	var dialled *net.OpError
	switch {
	case errors.As(err, &dialled) && dialled.Op == "dial":
		say(w, http.StatusServiceUnavailable)
	case errors.As(err, &network) && network.Timeout():
		say(w, http.StatusGatewayTimeout)
	default:
		say(w, http.StatusBadGateway)
	}
}

func say(w http.ResponseWriter, status int) {
	title, text := "This shop is not open right now", "Please try again in a moment."
	if status == http.StatusNotFound {
		title, text = "There is no shop at this address", "Please check the address for a mistake."
	} else {
		w.Header().Set("Retry-After", "10")
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	page := `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex"><title>` + title + `</title></head>
<body style="font: 1.1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 20vh auto">
<h1>` + title + `</h1><p>` + text + `</p></body></html>
`
	_, _ = io.WriteString(w, page)
}

func caller(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// counted remembers what was answered.
type counted struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *counted) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

func (c *counted) Write(some []byte) (int, error) {
	n, err := c.ResponseWriter.Write(some)
	c.bytes += int64(n)
	return n, err
}

// logged writes who asked what and what came of it, without the query, in which there may be secrets.
func logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began, answer := time.Now(), &counted{ResponseWriter: w, status: http.StatusOK}
		defer func() {
			slog.Info("asked", "caller", caller(r), "host", r.Host, "method", r.Method, "path", r.URL.Path,
				"status", answer.status, "bytes", answer.bytes, "ms", time.Since(began).Milliseconds())
		}()
		next.ServeHTTP(answer, r)
	})
}
