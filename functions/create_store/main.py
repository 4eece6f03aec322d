"""The REST API: records what customers want and shows what is. Never touches the cluster."""

import flask
import functions_framework
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from control_plane.entrypoints import framework_problem, http_endpoint
from functions.create_store import docs_page, signing_in
from functions.create_store.routes import ROUTES

# Exactly these paths: no redirects from what is nearly one of them.
MAP = Map(
    [
        Rule(route.path, methods=[route.method], endpoint=route.handler)
        for route in (*ROUTES, *docs_page.PAGES, *signing_in.PAGES)
    ],
    merge_slashes=False,
)


@functions_framework.http
@http_endpoint
def create_store(request: flask.Request) -> flask.Response:
    """Find the verb, call it."""
    handler, arguments = MAP.bind_to_environ(request.environ).match()
    answer: flask.Response = handler(request, **arguments)
    return answer


@functions_framework.errorhandler(HTTPException)  # type: ignore[untyped-decorator]
def refuse(error: HTTPException) -> flask.Response:
    """What the framework does not let through to us, such as a path with a line break."""
    return framework_problem(error)
