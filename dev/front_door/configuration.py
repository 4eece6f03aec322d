"""HAProxy's whole configuration."""

from __future__ import annotations

from dev.front_door import pages

HEALTH = "/healthz"
"""Answered 200 for every host name that is no store's; a store's own path of that name is the store's."""

MAP = "stores.map"

# A store's connections are opened anew for each request and closed after it: one that is kept may lead to a
# pod that is gone, and then a POST would be lost or have to be sent twice. The shopper's are kept.
#
# Nothing is tried twice: a refused connection means that no pod is ready, and is answered so at once. A store
# that dies over a request is answered with 502 if it was the first on the shopper's connection; after a later
# one HAProxy 2.6 hangs up, upon which some browsers ask again by themselves. So connections are kept for the
# moment that a page takes to load, and what a shopper sends off after reading it is a first request.
_TEXT = """\
global
    default-path config
    maxconn 512
    nbthread 1
    log stdout format raw local0 info
    stats socket fd@{control} level admin

defaults
    mode http
    log global
    option dontlognull
    option http-server-close
    retries 0
    timeout connect 5s
    timeout client 120s
    timeout server 120s
    timeout http-request 30s
    timeout http-keep-alive 2s
    timeout queue 5s
    timeout tunnel 1h
{pages}
frontend shoppers
    bind fd@{door}
    # When, who, {{host|path}} without the query, in which there may be secrets, what came of it.
    log-format "%tr %ci %{{+Q}}hr %HM %ST %B bytes %Ta ms %ts"
    http-request capture req.fhdr(host) len 128
    http-request capture path len 256
    # Without this a NUL would end the name here, and not in the store.
    acl plain req.fhdr(host) -m reg ^[A-Za-z0-9.-]+(:[0-9]*)?$
    http-request set-var(txn.store) req.fhdr(host),lower,field(1,:),map_str({map}) if plain
    acl known var(txn.store) -m found
    acl health path {health}
    http-request set-log-level silent if health !known
    http-request return status 200 content-type text/plain string "ok" if health !known
    http-request deny deny_status 404 unless known
    http-request deny deny_status 503 if {{ var(txn.store) -m str closed }}
    default_backend stores

backend stores
    # What the store believes of these comes from here alone.
    http-request del-header x-forwarded- -m beg
    http-request del-header forwarded
    http-request del-header x-real-ip
    # Of the kubelet's probes: the store's own log leaves them out.
    http-request del-header x-urumi- -m beg
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Proto http
    http-request set-dst var(txn.store),field(1,/)
    http-request set-dst-port var(txn.store),field(2,/)
    server store 0.0.0.0:0
"""


def configuration(door: int, control: int) -> str:
    """The configuration for HAProxy with these two listening sockets, by number."""
    return _TEXT.format(door=door, control=control, pages=pages.directives(), map=MAP, health=HEALTH)
