"""Digests of files, by which a part knows that its code or settings changed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from dev.machine.place import CHECKOUT


def digest(paths: Iterable[Path], more: Mapping[str, str] | None = None) -> str:
    """One hex digest of all files at or under `paths` (names and contents) and of `more`."""
    sum_ = hashlib.sha256(json.dumps(dict(more or {}), sort_keys=True).encode())
    for file in sorted(one for path in paths for one in _files(path)):
        content = file.read_bytes()
        sum_.update(f"\0{file.relative_to(CHECKOUT)}\0{len(content)}\0".encode())
        sum_.update(content)
    return sum_.hexdigest()


def _files(path: Path) -> Iterable[Path]:
    if path.is_file():
        return [path]
    return [one for one in path.rglob("*") if one.is_file() and "__pycache__" not in one.parts]
