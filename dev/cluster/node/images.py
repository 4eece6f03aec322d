"""Brings images into the node's containerd, each once."""

from __future__ import annotations

import hashlib
import json
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from dev.cluster.cluster import Say
from dev.cluster.command import run
from dev.cluster.node.settings import SANDBOX
from images import oci
from images.definitions import Definition

_CTR = ("/run/tools/ctr", "--namespace", "k8s.io", "images")


class Images:
    """The images of one node, known by the digest that each archive has in its name."""

    def __init__(self, entering: Sequence[str], home: Path) -> None:
        self._entering = entering
        self._known = home / "containerd" / "urumi-images.json"  # lost with what it tells of

    def bring(self, archives: Mapping[str, Path], say: Say) -> dict[str, str]:
        """Import the archives of those references; the references under which the node has them.

        A reference gets the archive's digest in its tag, so that another image is another reference.
        Raises ClusterError.
        """
        return {reference: self._brought(reference, archive, say) for reference, archive in archives.items()}

    def bring_sandbox(self, pause: Path) -> None:
        """Import the image that holds a pod's namespaces, made of that program. Raises ClusterError."""
        digest = hashlib.sha256(pause.read_bytes()).hexdigest()
        if self._read().get(SANDBOX) != digest:
            with tempfile.TemporaryDirectory() as folder:
                self._import(_sandbox(pause, Path(folder)))
            self._write(SANDBOX, digest)

    def _brought(self, reference: str, archive: Path, say: Say) -> str:
        packages, ours = archive.name.removesuffix(".oci.tar").split("-")[-2:]
        own = f"{reference}-{packages}-{ours}"
        if self._read().get(reference) != own:
            say(f"node: bringing the image {reference}")
            self._import(archive)
            run(*self._entering, *_CTR, "tag", "--force", f"docker.io/{reference}", f"docker.io/{own}")
            self._write(reference, own)
        return own

    def _import(self, archive: Path) -> None:
        with archive.open("rb") as content:
            run(*self._entering, *_CTR, "import", "-", content=content)

    def _read(self) -> dict[str, str]:
        try:
            known: dict[str, str] = json.loads(self._known.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return known

    def _write(self, reference: str, own: str) -> None:
        self._known.parent.mkdir(exist_ok=True)
        self._known.write_text(json.dumps({**self._read(), reference: own}))


def _sandbox(pause: Path, folder: Path) -> Path:
    layer, archive = folder / "layer.tar", folder / "pause.oci.tar"
    with tarfile.open(layer, "w") as tar:
        tar.add(pause, "pause")
    nobody = 65534
    definition = Definition(
        name="pause", reference=SANDBOX.removeprefix("docker.io/"), packages=(), prepare=pause, files={},
        folders=(), user=nobody, command="/pause", port=0, stop_signal="SIGTERM",
    )  # fmt: skip
    oci.write(definition, [layer], archive)
    return archive
