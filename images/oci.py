"""Writes an image of uncompressed layers as an OCI archive, which containerd, Docker and Podman import."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from images.definitions import Definition, ImageError

_LAYER = "application/vnd.oci.image.layer.v1.tar"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CHUNK = 1 << 20


def write(definition: Definition, layers: Sequence[Path], archive: Path) -> None:
    """Pack the layers, the lowest first, with the definition's user and command. Raises ImageError."""
    described = [_described(layer) for layer in layers]
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        for layer, described_layer in zip(layers, described, strict=True):
            member = tarfile.TarInfo(_blob(str(described_layer["digest"])))
            member.size, member.mode = layer.stat().st_size, 0o644
            with layer.open("rb") as content:
                tar.addfile(member, content)
        configuration = _add_blob(tar, _CONFIG, _configuration(definition, described))
        manifest = _add_blob(
            tar,
            _MANIFEST,
            {"schemaVersion": 2, "mediaType": _MANIFEST, "config": configuration, "layers": described},
        )
        # containerd goes by the first name, Podman and skopeo by the second.
        name = {
            "io.containerd.image.name": f"docker.io/{definition.reference}",
            "org.opencontainers.image.ref.name": definition.reference,
        }
        index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [{**manifest, "annotations": name}]}
        _add(tar, "index.json", _json(index))


def layers_of(archive: Path) -> list[str]:
    """The names, inside the archive, of an image's layers, the lowest first."""
    with tarfile.open(archive) as tar:
        return [_blob(layer["digest"]) for layer in _manifest(tar)["layers"]]


def configuration_of(archive: Path) -> dict[str, Any]:
    """How the image's containers are run: `User`, `Env`, `Cmd` and the others of the OCI specification."""
    with tarfile.open(archive) as tar:
        found: dict[str, Any] = _load(tar, _blob(_manifest(tar)["config"]["digest"]))["config"]
        return found


def _manifest(tar: tarfile.TarFile) -> dict[str, Any]:
    return _load(tar, _blob(_load(tar, "index.json")["manifests"][0]["digest"]))


def _configuration(definition: Definition, layers: Sequence[Mapping[str, object]]) -> dict[str, object]:
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        raise ImageError(f"no image is built for machines of the kind {machine}")
    environment = {"PATH": _PATH, **definition.environment}
    labels = dict(definition.labels())
    return {
        "created": "1970-01-01T00:00:01Z",
        "architecture": _ARCHITECTURES[machine],
        "os": "linux",
        "config": {
            "User": f"{definition.user}:{definition.user}",
            "Env": [f"{name}={value}" for name, value in environment.items()],
            "Cmd": [definition.command, *definition.arguments],
            "ExposedPorts": {f"{definition.port}/tcp": {}},
            "StopSignal": definition.stop_signal,
            "WorkingDir": definition.directory,
            **({"Labels": labels} if labels else {}),
        },
        # Uncompressed, a layer's digest is that of its content.
        "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]},
    }


def _described(layer: Path) -> dict[str, object]:
    total = hashlib.sha256()
    with layer.open("rb") as content:
        while chunk := content.read(_CHUNK):
            total.update(chunk)
    return {
        "mediaType": _LAYER,
        "digest": f"sha256:{total.hexdigest()}",
        "size": layer.stat().st_size,
    }


def _add_blob(tar: tarfile.TarFile, media_type: str, value: object) -> dict[str, object]:
    content = _json(value)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    _add(tar, _blob(digest), content)
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    tar.addfile(member, io.BytesIO(content))


def _blob(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _load(tar: tarfile.TarFile, name: str) -> dict[str, Any]:
    content = tar.extractfile(name)
    if content is None:
        raise ImageError(f"the archive has no {name}")
    loaded: dict[str, Any] = json.load(content)
    return loaded
