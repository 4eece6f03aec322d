"""Each invariant is tested: break what it is about in a copy, and see its own words."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.terraform.stand_in import Outcome, Terraform
from tests.infra.mistakes import Mistake


@dataclass(frozen=True)
class Broken:
    """What is broken, in which file of tests it must show, and with which words."""

    mistake: Mistake
    tests: str
    complaint: str
    environment: str = "prod"


def _function(right: str, wrong: str, complaint: str) -> Broken:
    return Broken(Mistake("modules/function/main.tf", right, wrong), "functions", complaint)


def _data(file: str, right: str, wrong: str, complaint: str) -> Broken:
    return Broken(Mistake(file, right, wrong), "data", complaint)


def _messages(right: str, wrong: str, complaint: str, file: str = "pubsub.tf") -> Broken:
    return Broken(Mistake(file, right, wrong), "messages", complaint)


LETTERS = """  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead[each.key].id
    max_delivery_attempts = each.value.attempts
  }
"""

BROKEN = {
    "deadline": _messages(
        "ack_deadline_seconds = 600\n", "ack_deadline_seconds = 60\n", "Every push subscription waits 600 s"
    ),
    "dead letters": _messages(LETTERS, "", "Every push subscription has dead letters"),
    "readers of dead letters": _messages(
        "google_pubsub_topic.dead[each.key].id\n  ack", "google_pubsub_topic.topics[each.key].id\n  ack",
        "Every dead letter topic has a subscription",
    ),
    "audience of a push": _messages(
        "audience              = each.value.to.uri", 'audience              = "https://api.example"',
        "The audience of a push's token",
    ),
    "where a push goes": _messages(
        '"${each.value.to.uri}${each.value.path}"', '"https://elsewhere.example${each.value.path}"',
        "A push calls the service that its token is for",
    ),
    "the topic in a push's path": _messages(
        '      path     = "/projects/${var.project}/topics/store-intents"', '      path     = "/"',
        "The path of a push says its topic",
    ),
    "pushes are let in": Broken(
        Mistake("functions.tf", "  size     = var.functions.provision\n  invokers = { push = google_service_account.push.member }\n",
                "  size     = var.functions.provision\n"),
        "messages", "may call each function that it pushes to",
    ),
    "subscriptions last": _messages(
        '    ttl = "" # never', '    ttl = "86400s" # never', "No subscription expires"
    ),
    "the broker moves letters": _messages(
        "topic  = google_pubsub_topic.dead[each.key].name\n  role   = \"roles/pubsub.publisher\"",
        "topic  = google_pubsub_topic.dead[each.key].name\n  role   = \"roles/pubsub.subscriber\"",
        "The broker may take a letter",
    ),
    "who tells of billing": _messages(
        "member = each.key\n}\n\nresource \"google_pubsub_topic_iam_member\" \"listeners\"",
        "member = \"allAuthenticatedUsers\"\n}\n\nresource \"google_pubsub_topic_iam_member\" \"listeners\"",
        "Nobody but billing's own accounts",
    ),
    "audience of the scheduler": _messages(
        "audience              = module.reconcile.uri", "audience              = module.provision.uri",
        "The audience of the scheduler's token", "scheduler.tf",
    ),
    "a pass every minute": _messages('"* * * * *"', '"*/5 * * * *"', "a pass every minute", "scheduler.tf"),
    "own accounts": _function(
        "service_account                  = google_service_account.this.email",
        'service_account                  = "functions@urumi-prod.iam.gserviceaccount.com"',
        "Each function has an account of its own",
    ),
    "only two are public": Broken(
        Mistake("functions.tf", '  target   = "reconcile"\n', '  target   = "reconcile"\n  public   = true\n'),
        "functions", "Only create_store and stripe_webhook are public",
    ),
    "no way beside the load balancer": _function(
        "default_uri_disabled = var.public", "default_uri_disabled = false", "reached through the load balancer"
    ),
    "nobody is let in": Broken(
        Mistake("functions.tf", 'target   = "billing_event"\n  function = local.function\n  size     = var.functions.billing-event\n  invokers = { push = google_service_account.push.member }',
                'target   = "billing_event"\n  function = local.function\n  size     = var.functions.billing-event\n  invokers = { push = "allUsers" }'),
        "functions", "let in by name, and nobody else",
    ),
    "one store at a time": Broken(
        Mistake("environments/prod.tfvars", "concurrency = 1, threads = 2", "concurrency = 2, threads = 3"),
        "functions", "provision does one store at a time",
    ),
    "provision's time": Broken(
        Mistake("environments/prod.tfvars", "timeout = 300", "timeout = 900"),
        "functions", "provision ends within 300 s",
    ),
    "probes": _function(
        "      liveness_probe {\n        period_seconds    = 30\n        timeout_seconds   = 10\n        failure_threshold = 3\n        http_get {\n          path = var.probe\n        }\n      }\n", "",
        "starts with more CPU and is probed",
    ),
    "startup boost": _function("startup_cpu_boost = true", "startup_cpu_boost = false", "starts with more CPU"),
    "pinned secrets": _function("version = env.value.version", 'version = "latest"', "a reference to one version"),
    "Cloud Armor": Broken(
        Mistake("front_door.tf", "  security_policy       = google_compute_security_policy.api.id\n", ""),
        "functions", "Cloud Armor stands before everything public",
    ),
    "migrations run": Broken(
        Mistake("migrations.tf", "  run_execution_token = substr(sha256(jsonencode([var.image, local.migrate_arguments])), 0, 8)\n", ""),
        "functions", "runs its migrations",
    ),
    "a thread for the probes": Broken(
        Mistake("environments/prod.tfvars", "concurrency = 1, threads = 2", "concurrency = 1, threads = 1"),
        "functions", "the probes need one",
    ),
    "no public address": _data("database.tf", "ipv4_enabled    = false", "ipv4_enabled    = true", "no public address"),
    "TLS to the database": _data(
        "database.tf", '"ENCRYPTED_ONLY"', '"ALLOW_UNENCRYPTED_AND_ENCRYPTED"', "no connection in the clear"
    ),
    "identities in the database": _data(
        "database.tf", '"cloudsql.iam_authentication" = "on"', '"cloudsql.iam_authentication" = "off"',
        "is an IAM identity",
    ),
    "any moment of the last days": _data(
        "database.tf", "point_in_time_recovery_enabled = true", "point_in_time_recovery_enabled = false",
        "brought back to any moment",
    ),
    "no passwords": _data(
        "database.tf", '  type     = "CLOUD_IAM_USER"\n', '  type     = "CLOUD_IAM_USER"\n  password = "secret"\n',
        "No user of the database has a password",
    ),
    "prod is protected": _data(
        "environments/prod.tfvars", "protected   = true", "protected   = false", "prod is protected"
    ),
    "the database stays": _data(
        "database.tf", "  deletion_protection = var.protected\n\n", "  deletion_protection = false\n\n",
        "refuses to be removed",
    ),
    "cells stay": _data(
        "cluster.tf", "deletion_protection      = var.protected", "deletion_protection      = false",
        "refuses to be removed",
    ),
    "backups stay": _data("backups.tf", "is_locked        = var.protected", "is_locked        = false", "before its time"),
    "backups are not public": _data(
        "backups.tf", '"enforced"', '"inherited"', "never public"
    ),
    "who uploads reads nothing": _data(
        "backups.tf", '"roles/storage.objectCreator"', '"roles/storage.objectAdmin"', "neither read, replace nor remove"
    ),
    "connections": Broken(
        Mistake("database.tf", "max_connections * 0.8", "max_connections * 0.9"), "data", "one_connection_more",
    ),
    "policies are enforced": Broken(
        Mistake("cluster.tf", '"ADVANCED_DATAPATH"', '"LEGACY_DATAPATH"'), "cells", "enforces the stores' NetworkPolicies"
    ),
    "private nodes": Broken(
        Mistake("cluster.tf", "enable_private_nodes = true", "enable_private_nodes = false"), "cells", "no public address"
    ),
    "stores' DNS": Broken(
        Mistake("cluster.tf", '"PLATFORM_DEFAULT"', '"CLOUD_DNS"'), "cells", "Pods ask kube-dns"
    ),
    "only to be heard": Broken(
        Mistake("cluster.tf", '["container.clusters.connect"]', '["container.clusters.connect", "container.pods.exec"]'),
        "cells", "the cloud's rights would add up",
    ),
    "the API has no way to a cell": Broken(
        Mistake("cluster.tf", "{ provision = module.provision.member,", "{ api = module.create_store.member, provision = module.provision.member,"),
        "cells", "The API has no way to a cell",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def told(
    program: Terraform, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Future[Outcome]]]:
    """What Terraform says of each, tried on all processors: each takes one of them for two seconds."""

    def tried(name: str, broken: Broken) -> Outcome:
        copy = broken.mistake.made_in(root, tmp_path_factory.mktemp(name.replace(" ", "-")))
        return program.run(
            copy,
            "test",
            f"-filter=tests/{broken.tests}.tftest.hcl",
            f"-var-file=environments/{broken.environment}.tfvars",
        )

    pool = ThreadPoolExecutor(os.cpu_count())
    yield {name: pool.submit(tried, name, broken) for name, broken in BROKEN.items()}
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_told(told: Mapping[str, Future[Outcome]], name: str) -> None:
    done = told[name].result()
    assert done.code == 1
    assert BROKEN[name].complaint in " ".join(done.said.split()), done.said
