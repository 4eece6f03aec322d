"""What checkov finds in the Terraform, without the network."""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.cluster import Say
from dev.terraform import place


@dataclass(frozen=True)
class Report:
    """How many checks passed, and where others failed."""

    passed: int
    failed: Mapping[str, list[str]]  # resources by check
    unread: list[str]  # files that could not be read


class PoliciesError(Exception):
    """checkov itself failed; the message has what it said."""


def report(root: Path, environment: str, say: Say) -> Report:
    """Check a root with an environment's variables. Raises PoliciesError."""
    done = subprocess.run(
        [
            place.python("checkov", say), "-m", "checkov.main",
            "--directory", root, "--framework", "terraform", "--skip-path", "tests",
            "--var-file", root / f"environments/{environment}.tfvars",
            "--skip-download", "--soft-fail", "--output", "json",
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise PoliciesError(done.stderr)
    said = json.loads(done.stdout)
    failed = defaultdict(list)
    for each in said["results"]["failed_checks"]:
        failed[each["check_id"]].append(each["resource"])
    return Report(said["summary"]["passed"], failed, said["results"]["parsing_errors"])
