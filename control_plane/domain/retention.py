"""How long the database keeps what has done its work. What waits for somebody is kept until they answer."""

from __future__ import annotations

from datetime import timedelta

PUBLISHED = timedelta(days=7)  # outbox rows and events of stores, from when they were published
IDEMPOTENCY_KEYS = timedelta(hours=24)  # from when they were used; the same key is free again then
ATTEMPTS = timedelta(days=7)  # from when they began
ANSWERED_LETTERS = timedelta(days=30)  # dead letters, from their answer
UNCLAIMED = timedelta(days=7)  # administrators' passwords, from when they were made
SESSIONS = timedelta(days=7)  # of browsers, from the end of their whole life
SIGN_INS = timedelta(days=1)  # one-time addresses, from when they would have ended
