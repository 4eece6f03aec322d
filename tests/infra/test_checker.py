"""The checker is checked: each kind of mistake is caught, by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from dev.terraform.stand_in import Terraform
from tests.infra.mistakes import Mistake

DEADLINE = "  ack_deadline_seconds = 600\n"
LETTERS = "  dead_letter_policy {"
BUCKET = "google_storage_bucket.backups.name"
DATABASE = "sql_database_instance.urumi"
REPLICAS = """
  replication {
    user_managed {
      replicas {
        location = var.region
      }
    }
  }
"""

# What is wrong: where, and what must be said about it.
MISTAKES = {
    "an argument that is not there": (
        Mistake("pubsub.tf", DEADLINE, "  ack_deadline = 600\n"),
        'An argument named "ack_deadline" is not expected here',
    ),
    "an argument of the wrong type": (
        Mistake("pubsub.tf", DEADLINE, '  ack_deadline_seconds = "ten minutes"\n'),
        'Inappropriate value for attribute "ack_deadline_seconds": a number is required',
    ),
    "a nested argument that is not there": (
        Mistake("pubsub.tf", "max_delivery_attempts = each", "max_attempts = each"),
        'An argument named "max_attempts" is not expected here',
    ),
    "a nested block that is not there": (
        Mistake("pubsub.tf", LETTERS, "  dead_letters {"),
        'Blocks of type "dead_letters" are not expected here',
    ),
    "a nested argument of the wrong type": (
        Mistake(
            "backups.tf",
            "is_locked        = var.backup_days.locked",
            "is_locked        = [var.backup_days.locked]",
        ),
        'Inappropriate value for attribute "is_locked": bool required',
    ),
    "a required argument that is missing": (
        Mistake("scheduler.tf", "  name             = each.value.name\n", ""),
        'The argument "name" is required, but no definition was found',
    ),
    "a required block that is missing": (
        Mistake("secrets.tf", REPLICAS, ""),
        'At least 1 "replication" blocks are required',
    ),
    "a block too many": (
        Mistake("pubsub.tf", LETTERS, f"{LETTERS}\n  }}\n\n{LETTERS}"),
        'No more than 1 "dead_letter_policy" blocks are allowed',
    ),
    "a reference to an attribute that is not there": (
        Mistake("outputs.tf", BUCKET, "google_storage_bucket.backups.title"),
        'has no argument, nested block, or exported attribute named "title"',
    ),
    "a reference to a nested attribute that is not there": (
        Mistake("outputs.tf", "compute_global_address.api.address", f"{DATABASE}.ip_address[0].colour"),
        'This object does not have an attribute named "colour"',
    ),
    "a reference to a resource that is not there": (
        Mistake("outputs.tf", BUCKET, "google_storage_bucket.backup.name"),
        "has not been declared in the root module",
    ),
    "something that only Google can say": (
        Mistake("scheduler.tf", "  attempt_deadline ", '  state = "ENABLED"\n  attempt_deadline '),
        'Can\'t configure a value for "state"',
    ),
    "a type of resource that is not there": (
        Mistake("scheduler.tf", '"google_cloud_scheduler_job"', '"google_cloud_scheduler_task"'),
        'does not support resource type "google_cloud_scheduler_task"',
    ),
    "an input of a module that is not there": (
        Mistake("functions.tf", '  target   = "provision"', '  health   = "provision"'),
        'An argument named "health" is not expected here',
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_caught(
    program: Terraform, root: Path, tmp_path: Path, mistake: tuple[Mistake, str]
) -> None:
    made, complaint = mistake
    done = program.run(made.made_in(root, tmp_path), "validate")
    assert done.code == 1
    assert complaint in " ".join(done.said.split()), done.said
