"""What an apply would make, from the answers of a mocked provider."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dev.terraform.stand_in import Terraform

_ANY_TESTS = "tests/cells.tftest.hcl"  # whose first run is an apply of everything


class ApplyError(Exception):
    """The mocked apply failed; the message has all that Terraform said."""


@dataclass(frozen=True)
class Resource:
    """One resource as it would be. What only Google can say is a made-up text, the same everywhere."""

    address: str
    type: str
    values: Mapping[str, Any]


def applied(terraform: Terraform, root: Path, environment: str) -> list[Resource]:
    """All resources and data of an initialised root with an environment's variables. Raises ApplyError."""
    done = terraform.run(
        root,
        "test",
        "-json",
        "-verbose",
        f"-filter={_ANY_TESTS}",
        f"-var-file=environments/{environment}.tfvars",
    )
    for line in done.said.splitlines():
        said = json.loads(line) if line.startswith("{") else {}
        if said.get("type") == "test_state":
            return list(_resources(said["test_state"]["root_module"]))
    raise ApplyError(done.said)


def _resources(module: Mapping[str, Any]) -> Iterator[Resource]:
    for each in module.get("resources", ()):
        yield Resource(each["address"], each["type"], each["values"])
    for child in module.get("child_modules", ()):
        yield from _resources(child)
