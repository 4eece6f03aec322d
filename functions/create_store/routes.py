"""The one table of all routes of the API."""

from __future__ import annotations

from http import HTTPStatus

import flask

from functions.create_store import views
from functions.create_store.account_routes import ACCOUNT_ROUTES
from functions.create_store.answers import answer
from functions.create_store.route import Route
from functions.create_store.store_routes import STORE_ROUTES


def healthz(_request: flask.Request) -> flask.Response:
    """It says nothing of the database, which has its own."""
    return answer(views.Serving())


ROUTES = (
    *STORE_ROUTES,
    *ACCOUNT_ROUTES,
    Route(
        "GET", "/healthz", healthz, "Whether this process serves", "Service",
        HTTPStatus.OK, views.Serving, headers=("If-None-Match",),
        says="For load balancers. It asks neither the database nor anything else, and needs no token.",
    ),
)  # fmt: skip
