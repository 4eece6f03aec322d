"""The console: the web page where people sign in and look after their stores. Never touches the cluster."""

from functools import partial

import flask
import functions_framework
from werkzeug.exceptions import HTTPException

from control_plane import pages
from control_plane.entrypoints import http_endpoint, refusal_of
from functions.console import asking, assets, new_store, refusals, signing_in, store_page, stores_page, way_in

PARTS = (stores_page, new_store, store_page, asking, way_in, signing_in, assets)
MAP = pages.exactly(page for part in PARTS for page in part.PAGES)


@functions_framework.http
@partial(http_endpoint, tell=refusals.page)
def console(request: flask.Request) -> flask.Response:
    """Find the page, show it."""
    return pages.answer(MAP, request)


@functions_framework.errorhandler(HTTPException)  # type: ignore[untyped-decorator]
def refuse(error: HTTPException) -> flask.Response:
    """What the framework does not let through to us, such as a path with a line break."""
    return refusals.page(refusal_of(error))
