"""The REST API: records what customers want and shows what is. Never touches the cluster."""

import flask
import functions_framework
from werkzeug.exceptions import HTTPException

from control_plane import pages
from control_plane.entrypoints import framework_problem, http_endpoint
from functions.create_store import docs_page
from functions.create_store.routes import ROUTES

MAP = pages.exactly((*ROUTES, *docs_page.PAGES))


@functions_framework.http
@http_endpoint
def create_store(request: flask.Request) -> flask.Response:
    """Find the verb, call it."""
    return pages.answer(MAP, request)


@functions_framework.errorhandler(HTTPException)  # type: ignore[untyped-decorator]
def refuse(error: HTTPException) -> flask.Response:
    """What the framework does not let through to us, such as a path with a line break."""
    return framework_problem(error)
