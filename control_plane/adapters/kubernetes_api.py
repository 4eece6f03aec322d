"""The API server of one cell, spoken to in plain JSON, with its answers as our errors.

The client library brings kubeconfig, credentials, TLS and the connection pool; its typed
models cost several times more than the requests themselves, so they are not used.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes import client, config

from control_plane.domain.errors import (
    CellUnreachableError,
    LeaseLostError,
    MisconfiguredError,
    PermanentError,
    TemporaryError,
)

_CONNECT_SECONDS = 3
_READ_SECONDS = 10
_PAGE = 500
_FORBIDDEN, _TOO_MANY, _GONE = 403, 429, 410
# The authorizer's words: the refusal of an admission names no user.
_NO_RIGHTS = re.compile(r'is forbidden: User "')
_NOT_YET = re.compile(r"not yet ready to handle request|status unknown for quota")
_JSON = "application/json"
_METADATA = "application/json;as={};v=v1;g=meta.k8s.io"

Object = dict[str, Any]


class ConflictError(TemporaryError):
    """The object is there already, or has changed since it was read (409)."""


class RefusedError(PermanentError):
    """The API server will not do it: forbidden, invalid or against a policy (4xx)."""


class NotYetError(TemporaryError):
    """An admission cannot judge yet: it has not read what it judges by."""


class ExpiredError(TemporaryError):
    """The resourceVersion is too old to watch from (410)."""


class Watch:
    """A stream of events, each {"type", "object"}, that another thread may close."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response

    def __iter__(self) -> Iterator[Object]:
        """Raises ExpiredError, CellUnreachableError."""
        try:
            rest = b""
            for chunk in self._response.stream(amt=None):
                *lines, rest = (rest + chunk).split(b"\n")
                for event in (json.loads(line) for line in lines if line):
                    if event["type"] == "ERROR":
                        _raise(event["object"].get("code", 500), json.dumps(event["object"]).encode())
                    yield event
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise CellUnreachableError("the cell's API server stopped answering") from error
        finally:
            self._response.close()

    def close(self) -> None:
        """End the stream, also for a thread that is waiting in it."""
        with suppress(OSError, ValueError, RuntimeError):
            self._response.shutdown()


class KubernetesApi:
    """Requests to one API server. Connects at the first one."""

    def __init__(self, kubeconfig: str) -> None:
        self._kubeconfig = kubeconfig

    @cached_property
    def _client(self) -> client.ApiClient:
        try:
            settings = client.Configuration()
            config.load_kube_config(self._kubeconfig, client_configuration=settings)  # type: ignore[no-untyped-call]
        except (config.ConfigException, OSError) as error:
            raise MisconfiguredError(f"the kubeconfig {self._kubeconfig} cannot be read") from error
        if not settings.api_key and not settings.cert_file:
            # A credential plugin failed, of which the library only writes into the log. It would not ask
            # again, so this client is not kept.
            raise CellUnreachableError("there are no credentials for the cell: see the log")
        settings.retries = False
        settings.connection_pool_maxsize = 16
        return client.ApiClient(settings)

    def get(self, path: str) -> Object | None:
        """The object at `path`; None if there is none."""
        return self._call("GET", path, missing_ok=True)

    def metadata(self, path: str) -> Object | None:
        """The object at `path` without its content, so that no secret is read; None if there is none."""
        return self._call("GET", path, missing_ok=True, accept=_METADATA.format("PartialObjectMetadata"))

    def create(self, path: str, body: Object, *, not_after: float = math.inf) -> Object:
        """Create an object in the collection at `path`. Raises ConflictError if it is there.

        Here and below: nothing is sent after `not_after` on the monotonic clock, but LeaseLostError raised.
        """
        return self._call("POST", path, body=body, not_after=not_after) or {}

    def replace(self, path: str, body: Object, *, not_after: float = math.inf) -> Object:
        """Replace an object; with a resourceVersion in it, only if it has not changed since."""
        return self._call("PUT", path, body=body, not_after=not_after) or {}

    def delete(self, path: str, *, not_after: float = math.inf) -> None:
        """Ask for the removal of an object; fine if there is none."""
        self._call("DELETE", path, missing_ok=True, not_after=not_after)

    def pages(self, path: str, *, selector: str = "", metadata_only: bool = False) -> Iterator[Object]:
        """A collection, page by page; with `metadata_only`, its objects without their content."""
        accept = _METADATA.format("PartialObjectMetadataList") if metadata_only else _JSON
        query = {"labelSelector": selector, "limit": str(_PAGE)}
        while True:
            page = self._call("GET", f"{path}?{urlencode(query)}", accept=accept) or {}
            page["items"] = page.get("items") or []  # an empty list of metadata comes as null
            yield page
            if not (token := page["metadata"].get("continue")):
                return
            query["continue"] = token

    def watch(self, path: str, *, selector: str, version: str, seconds: int) -> Watch:
        """Follow a collection from `version` on, for about `seconds`.

        Raises ExpiredError when the server no longer knows that version.
        """
        query = {
            "labelSelector": selector,
            "resourceVersion": version,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(seconds),
        }
        response = self._send("GET", f"{path}?{urlencode(query)}", read_seconds=seconds + _READ_SECONDS)
        if response.status != 200:
            with closing(response):
                _raise(response.status, response.read())
        return Watch(response)

    def _call(
        self,
        method: str,
        path: str,
        *,
        body: Object | None = None,
        missing_ok: bool = False,
        accept: str = _JSON,
        not_after: float = math.inf,
    ) -> Object | None:
        response = self._send(method, path, body=body, accept=accept, not_after=not_after)
        try:
            content = response.read()
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise CellUnreachableError("the cell's API server stopped answering") from error
        finally:
            response.release_conn()
        if response.status == 404 and missing_ok:
            return None
        if response.status >= 300:
            _raise(response.status, content)
        answer: Object = json.loads(content)
        return answer

    def _send(
        self,
        method: str,
        path: str,
        *,
        body: Object | None = None,
        accept: str = _JSON,
        read_seconds: float = _READ_SECONDS,
        not_after: float = math.inf,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": accept, "User-Agent": "urumi"}
        self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        if body is not None:
            headers["Content-Type"] = _JSON
        # Looked at last: this process may have been stopped for hours since it took the lease.
        if time.monotonic() > not_after:
            raise LeaseLostError(path)
        try:
            answer: urllib3.BaseHTTPResponse = self._client.rest_client.pool_manager.request(
                method,
                self._client.configuration.host + path,
                body=json.dumps(body) if body is not None else None,
                headers=headers,
                timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=read_seconds),
                retries=False,
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise CellUnreachableError("the cell's API server does not answer") from error
        return answer


def _raise(status: int, content: bytes) -> None:
    message = _message(content)
    if status == 409:
        raise ConflictError(message)
    if status == _GONE:
        raise ExpiredError(message)
    if status == _TOO_MANY:
        raise TemporaryError(f"the cell is busy: {message}")
    if status in (401, 407) or status >= 500:
        # Wrong credentials are the platform's fault and outages the cell's; never the store's.
        raise CellUnreachableError(f"the cell's API server answers {status}: {message}")
    if status == _FORBIDDEN and not _of_kubernetes(content):
        # A cloud's endpoint asks its own rights before the API server sees the request.
        raise CellUnreachableError(f"what stands before the cell's API server answers 403: {message}")
    if "because it is being terminated" in message:
        raise TemporaryError(message)
    if status == _FORBIDDEN and _NO_RIGHTS.search(message):
        raise CellUnreachableError(
            f"this function lacks rights in the cell: install the platform chart ({message})"
        )
    if _NOT_YET.search(message):
        raise NotYetError(message)
    raise RefusedError(message)


def _of_kubernetes(content: bytes) -> bool:
    """Whether an answer is a Status of the API server's; another's error has no message where it has one."""
    try:
        return isinstance(json.loads(content).get("message"), str)
    except (ValueError, AttributeError):
        return False


def _message(content: bytes) -> str:
    try:
        status: Mapping[str, Any] = json.loads(content)
        # An endpoint of Google's says it one level deeper.
        return str((status.get("error") or status).get("message", ""))[:256]
    except (ValueError, AttributeError):
        return content[:256].decode(errors="replace")
