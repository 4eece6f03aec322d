"""The files that pages load. Their addresses change with their content, so browsers keep them for good."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import flask
from werkzeug.exceptions import NotFound

from control_plane.pages import Page
from functions.console.answers import guarded

_FOLDER = Path(__file__).with_name("static")
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Asset:
    """One file."""

    address: str
    body: bytes
    content_type: str


def _asset(file: Path) -> Asset:
    body = file.read_bytes()
    digest = hashlib.sha256(body).hexdigest()[:16]
    return Asset(f"/assets/{file.stem}-{digest}{file.suffix}", body, _TYPES[file.suffix])


ASSETS = {file.name: _asset(file) for file in sorted(_FOLDER.iterdir()) if file.suffix in _TYPES}
_BY_ADDRESS = {asset.address: asset for asset in ASSETS.values()}


def address_of(name: str) -> str:
    """Where the file is."""
    return ASSETS[name].address


def show(_request: flask.Request, name: str) -> flask.Response:
    """One file. Raises NotFound, also for what it was before."""
    asset = _BY_ADDRESS.get(f"/assets/{name}")
    if asset is None:
        raise NotFound
    answer = guarded(flask.make_response(asset.body))
    answer.headers["Content-Type"] = asset.content_type
    answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return answer


PAGES = (Page("GET", "/assets/<name>", show),)
