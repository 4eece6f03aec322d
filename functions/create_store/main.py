"""The REST API: records what customers want and shows what is. Never touches the cluster."""

import flask
import functions_framework
from flask.typing import ResponseReturnValue
from werkzeug.routing import Map, Rule

from control_plane.entrypoints import http_endpoint
from functions.create_store import handlers

ROUTES = Map(
    [
        Rule("/stores", methods=["POST"], endpoint=handlers.create_store),
        Rule("/stores", methods=["GET"], endpoint=handlers.list_stores),
        Rule("/stores/<store_id>", methods=["GET"], endpoint=handlers.show_store),
        Rule("/stores/<store_id>", methods=["DELETE"], endpoint=handlers.delete_store),
        Rule("/stores/<store_id>/events", methods=["GET"], endpoint=handlers.list_events),
        Rule("/healthz", methods=["GET"], endpoint=handlers.healthz),
    ]
)


@functions_framework.http
@http_endpoint
def create_store(request: flask.Request) -> ResponseReturnValue:
    """Find the verb, call it."""
    handler, arguments = ROUTES.bind_to_environ(request.environ).match()
    answer: ResponseReturnValue = handler(request, **arguments)
    return answer
