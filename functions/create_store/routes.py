"""The one table of all routes of the API."""

from __future__ import annotations

from functions.create_store.account_routes import ACCOUNT_ROUTES
from functions.create_store.store_routes import STORE_ROUTES

ROUTES = (*STORE_ROUTES, *ACCOUNT_ROUTES)
