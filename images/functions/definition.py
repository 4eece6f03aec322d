"""The image of the functions, built here from Debian's Python instead of the official image's."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from images.definitions import Definition, ImageError, Made, Say

_HERE = Path(__file__).parent
_CHECKOUT = _HERE.parents[1]
_PROJECT = tomllib.loads((_CHECKOUT / "pyproject.toml").read_text())["project"]
HELM = "usr/local/bin/helm"


def labels() -> Mapping[str, str]:
    """The labels of the OCI specification; what git does not know is left out."""
    found = {
        "title": "Urumi control plane",
        "description": _PROJECT["description"],
        "version": _PROJECT["version"],
        "licenses": _PROJECT["license"],
        "revision": _revision(),
        "source": _source(_git("remote", "get-url", "origin")),
    }
    return {f"org.opencontainers.image.{name}": value for name, value in found.items() if value}


def _revision() -> str:
    """The commit of the checkout, marked where it is not exactly that one."""
    commit = _git("rev-parse", "HEAD")
    return f"{commit}-dirty" if commit and _git("status", "--porcelain") else commit


def _source(origin: str) -> str:
    """Where others find the source: an address for them, without a password that may be in it."""
    parts = urlsplit(origin)
    return f"https://{parts.hostname}{parts.path}" if parts.scheme == "https" else ""


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=_CHECKOUT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _helm(say: Say) -> Mapping[str, Path]:
    # Only here: building the other images needs neither Go nor what our tools are written with.
    from dev.cluster import build  # noqa: PLC0415
    from dev.cluster.cluster import ClusterError  # noqa: PLC0415

    try:
        return {HELM: build.helm(say)}
    except ClusterError as error:
        raise ImageError(str(error)) from error


def _bill(root: Path) -> bytes:
    from images.functions import bill  # noqa: PLC0415 - as above

    return bill.of(root, labels())


FUNCTIONS = Definition(
    name="functions",
    reference=f"urumi/functions:{_PROJECT['version']}",
    packages=("ca-certificates", "netbase", "python3", "tzdata"),
    prepare=_HERE / "prepare-debian",
    installed=Made(_HERE / "make-venv", "app", reads=(_CHECKOUT / "requirements.txt",)),
    files={
        "app/chart": _CHECKOUT / "chart",
        "app/control_plane": _CHECKOUT / "control_plane",
        "app/functions": _CHECKOUT / "functions",
    },
    brings=_helm,
    made=Made(_HERE / "compile", "app"),
    bill=_bill,
    folders=("dev", "proc", "sys", "tmp"),
    user=65532,
    command="python",
    arguments=("-m", "control_plane.launcher"),
    directory="/app",
    environment={
        "PATH": "/app/venv/bin:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "URUMI_HELM": f"/{HELM}",
        "URUMI_CHART": "/app/chart",
    },
    labels=labels,
    port=8080,
    stop_signal="SIGTERM",
)
