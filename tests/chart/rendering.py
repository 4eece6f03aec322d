"""Renders the chart with the pinned Helm and hands out the objects."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).resolve().parents[2] / "chart"
CI = CHART / "ci"

Values = dict[str, Any]
Object = dict[str, Any]


class ChartRefusedError(Exception):
    """Helm would not render; the text is what it said."""


def ci_values(name: str) -> Values:
    """A fresh copy of one of the chart's own value files."""
    values: Values = yaml.safe_load((CI / f"{name}.yaml").read_text())
    return values


def changed(values: Values, path: str, value: object) -> Values:
    """A copy of `values` with the value at the dotted `path` put in."""
    copied = copy.deepcopy(values)
    *parents, last = path.split(".")
    at = copied
    for parent in parents:
        at = at.setdefault(parent, {})
    at[last] = value
    return copied


def release_name(values: Values) -> str:
    """What provision calls the release and the namespace."""
    return f"store-{values['store']['id']}"


class Renderer:
    """`helm template`, values on stdin as JSON, as provision gives them."""

    def __init__(self, helm: Path) -> None:
        self._helm = helm

    def text(self, values: Values, *, release: str | None = None, namespace: str | None = None) -> str:
        """The rendered manifest. Raises ChartRefusedError."""
        name = release or release_name(values)
        done = subprocess.run(
            [str(self._helm), "template", name, str(CHART), "--namespace", namespace or name, "-f", "-"],
            input=json.dumps(values),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ChartRefusedError(done.stderr)
        return done.stdout

    def objects(self, values: Values) -> list[Object]:
        """All rendered objects. Raises ChartRefusedError."""
        return [found for found in yaml.safe_load_all(self.text(values)) if found]


def of_kind(objects: list[Object], kind: str) -> list[Object]:
    return [found for found in objects if found["kind"] == kind]


def named(objects: list[Object], kind: str, name: str) -> Object:
    """The one object of that kind and name."""
    (found,) = (item for item in of_kind(objects, kind) if item["metadata"]["name"] == name)
    return found


def workloads(objects: list[Object]) -> list[Object]:
    """All objects that make pods, whatever their kind."""
    return [found for found in objects if "template" in found.get("spec", {})]


def pod_templates(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Name and pod template of every workload: another one begins new pods."""
    for workload in workloads(objects):
        yield workload["metadata"]["name"], workload["spec"]["template"]


def pod_specs(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Name and pod spec of every workload."""
    for name, template in pod_templates(objects):
        yield name, template["spec"]


def containers(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """`pod/container` and spec of every container, init containers included."""
    for name, spec in pod_specs(objects):
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            yield f"{name}/{container['name']}", container
