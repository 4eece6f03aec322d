"""The console: the web page where people sign in and look after their stores. Never touches the cluster."""

import flask
import functions_framework
from werkzeug.exceptions import HTTPException

from control_plane import pages
from control_plane.entrypoints import framework_problem, http_endpoint
from functions.console import signing_in, start_page

MAP = pages.exactly((*start_page.PAGES, *signing_in.PAGES))


@functions_framework.http
@http_endpoint
def console(request: flask.Request) -> flask.Response:
    """Find the page, show it."""
    return pages.answer(MAP, request)


@functions_framework.errorhandler(HTTPException)  # type: ignore[untyped-decorator]
def refuse(error: HTTPException) -> flask.Response:
    """What the framework does not let through to us, such as a path with a line break."""
    return framework_problem(error)
