"""A copy of the Terraform to work on, so that checks leave nothing in the checkout."""

from __future__ import annotations

import shutil
from pathlib import Path

from dev.terraform.stand_in import Terraform


def initialised(terraform: Terraform, root: Path, folder: Path) -> Path:
    """Copy the root into `folder` and initialise it there. Raises RuntimeError with what Terraform says."""
    copy = folder / root.name
    shutil.copytree(root, copy, ignore=shutil.ignore_patterns(".terraform"))
    done = terraform.run(copy, "init", "-backend=false")
    if done.code != 0:
        raise RuntimeError(done.said)
    return copy
