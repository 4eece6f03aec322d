"""The ports in memory: small, deterministic, and with the rules of the real ones.

`tables` is the database (the contract tests in `tests/adapters` hold it and Postgres to one
behaviour), `cell` a cluster with Helm, `events` Pub/Sub, `clock` the time of all of them.
"""
