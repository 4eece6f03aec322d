"""The front door: HAProxy on one port, which brings each store's host name to the store's Service.

By the standard library alone: it also runs in a small container that has nothing else. In that order to
read: `door.py` (what happens when), `watch.py` and `objects.py` (what is read of the cluster), `routes.py`
(who gets which host name), `table.py` and `runtime.py` (how HAProxy learns of it), `haproxy.py`,
`configuration.py` and `pages.py` (what HAProxy is started with).
"""
