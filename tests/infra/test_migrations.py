"""A new image's migrations run before its code, a failed one is tried again, and a done one is left alone.

Real applies of the first root, one after the other, with stand-ins for the providers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.terraform.stand_in import Outcome, Terraform, terraform
from dev.terraform.working_copy import initialised
from tests.infra.conftest import ROOT

JOB = "google_cloud_run_v2_job"
SERVICE = "google_cloud_run_v2_service"
IMAGE = "europe-west1-docker.pkg.dev/urumi-dev/urumi/functions@sha256:"
OLD, NEW = IMAGE + "a" * 64, IMAGE + "b" * 64


@dataclass(frozen=True)
class Cloud:
    """A root, and what was applied of it."""

    program: Terraform
    root: Path

    def apply(self, image: str, *, failing: str = "") -> tuple[Outcome, list[tuple[str, str | None]]]:
        """How an apply of that image ends, and in which order jobs and services were given which image.

        What is removed is given none.
        """
        self.program.applied.write_text("")
        self.program.failing.write_text(failing)
        done = self.program.run(
            self.root, "apply", "-auto-approve", "-var-file=environments/dev.tfvars", f"-var=image={image}"
        )
        changes = map(json.loads, self.program.applied.read_text().splitlines())
        given = [(each["type"], _image(each["after"])) for each in changes if each["type"] in (JOB, SERVICE)]
        return done, given


def _image(values: dict | None) -> str | None:
    if values is None:
        return None
    template = values["template"][0]
    (container,) = (
        template["containers"] if "containers" in template else template["template"][0]["containers"]
    )
    return container["image"]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The first root, whose state is a file."""
    with terraform(ROOT, print) as program:
        root = initialised(program, ROOT, tmp_path_factory.mktemp("root"))
        (root / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
        done = program.run(root, "init")
        assert done.code == 0, done.said
        yield Cloud(program, root)


def test_migrations_of_a_new_image(cloud: Cloud) -> None:
    done, given = cloud.apply(OLD)
    assert done.code == 0, done.said
    assert given == [(JOB, OLD)] + [(SERVICE, OLD)] * 6

    # They fail: no function is given the new image.
    done, given = cloud.apply(NEW, failing=JOB)
    assert done.code == 1
    assert f"{JOB} was told to fail" in done.said
    assert (JOB, NEW) in given
    assert (SERVICE, NEW) not in given

    # The next apply makes the job again, and only then gives the functions the image.
    done, given = cloud.apply(NEW)
    assert done.code == 0, done.said
    assert given[-7:] == [(JOB, NEW)] + [(SERVICE, NEW)] * 6

    # They are done: nothing is executed another time.
    done, given = cloud.apply(NEW)
    assert done.code == 0, done.said
    assert given == []
