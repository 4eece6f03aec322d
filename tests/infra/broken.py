"""What each invariant is about, broken once: where, in which tests it must show, and with which words."""

from __future__ import annotations

from dataclasses import dataclass

from tests.infra.mistakes import Mistake


@dataclass(frozen=True)
class Broken:
    """One mistake, and how it must show in `prod`."""

    tests: str
    complaint: str
    mistake: Mistake


def _of(tests: str, complaint: str, file: str, right: str, wrong: str = "") -> Broken:
    return Broken(tests, complaint, Mistake(file, right, wrong))


FUNCTION = "modules/function/main.tf"
PROD = "environments/prod.tfvars"

LETTERS = """
  dead_letter_policy {
    dead_letter_topic     = google_pubsub_topic.dead[each.value.topic].id
    max_delivery_attempts = each.value.attempts
  }
"""
PUSHED_TO = "  invokers = { push = google_service_account.push.member }\n"
LIVENESS = 'failure_threshold = 3\n        http_get {\n          path = "/health"'
PROVISION = f"  size     = var.functions.provision\n{PUSHED_TO}"
BILLING = f"  size     = var.functions.billing-event\n{PUSHED_TO}"
DEAD = "google_pubsub_topic.dead[each.key]"
MOVED = f'topic  = {DEAD}.name\n  role   = "roles/pubsub.'
TOLD_BY = """
  for_each = var.billing_publishers

  topic  = google_pubsub_topic.topics["billing-events"].name
  role   = "roles/pubsub.publisher"
  member = """
AS_PUSH = 'Creator"\n  member             = '
AUDIENCE = "audience              = "
BOOST = "startup_cpu_boost = "
TOKEN = "  run_execution_token = substr(sha256(jsonencode([var.image, local.migrate_arguments])), 0, 8)\n"
ARMOR = "  security_policy       = google_compute_security_policy.api.id\n"
OPERATOR = '  type     = "CLOUD_IAM_USER"\n'
CALLERS = '{ for cell, function in module.provision : "provision-${cell}" => function.member }'
CONNECT = "container.clusters.connect"
MEMBER = "      role    = local.database_roles[service.function]\n    }"

MESSAGES = {
    "deadline": (
        "Every push subscription waits 600 s",
        "pubsub.tf", "ack_deadline_seconds = 600\n", "ack_deadline_seconds = 60\n",
    ),
    "dead letters": ("Every push subscription has dead letters", "pubsub.tf", LETTERS, ""),
    "readers of dead letters": (
        "Every dead letter topic has a subscription",
        "pubsub.tf", f"{DEAD}.id\n  ack", "google_pubsub_topic.topics[each.key].id\n  ack",
    ),
    "audience of a push": (
        "The audience of a push's token",
        "pubsub.tf", "= each.value.to.uri\n", '= "https://api.example"\n',
    ),
    "where a push goes": (
        "A push calls the service that its token is for",
        "pubsub.tf", '"${each.value.to.uri}${each.value.path}"', '"https://elsewhere.example${each.value.path}"',
    ),
    "the topic in a push's path": (
        "The path of a push says its topic",
        "pubsub.tf", '  path     = "/projects/${var.project}/topics/store-intents"', '  path     = "/"',
    ),
    "pushes are let in": (
        "may call each function that it pushes to",
        "functions.tf", PROVISION, PROVISION.replace(PUSHED_TO, ""),
    ),
    "subscriptions last": ("No subscription expires", "pubsub.tf", '"" # never', '"86400s" # never'),
    "the broker moves letters": (
        "The broker may take a letter",
        "pubsub.tf", f"{MOVED}publisher", f"{MOVED}subscriber",
    ),
    "who tells of billing": (
        "Nobody but billing's own accounts",
        "pubsub.tf", f"{TOLD_BY}each.key", f'{TOLD_BY}"allAuthenticatedUsers"',
    ),
    "the broker's tokens": (
        "The broker may make tokens",
        "pubsub.tf", f"{AS_PUSH}local.pubsub_agent", f'{AS_PUSH}"allUsers"',
    ),
    "audience of the scheduler": (
        "the audience of its token",
        "scheduler.tf", f"{AUDIENCE}each.value.uri", f"{AUDIENCE}module.provision[each.key].uri",
    ),
    "a pass every minute": (
        "a pass of each cell every minute",
        "scheduler.tf", '"* * * * *"', '"*/5 * * * *"',
    ),
}  # fmt: skip

FUNCTIONS = {
    "own accounts": (
        "Each function has an account of its own",
        FUNCTION, "= var.account.email", '= "functions@urumi-prod.iam.gserviceaccount.com"',
    ),
    "only three are public": (
        "Only create_store, console and stripe_webhook are public",
        "functions.tf", 'target   = "reconcile"\n', 'target   = "reconcile"\n  public   = true\n',
    ),
    "no way beside the load balancer": (
        "reached through the load balancer",
        FUNCTION, "default_uri_disabled = var.public", "default_uri_disabled = false",
    ),
    "nobody is let in": (
        "let in by name, and nobody else",
        "functions.tf", BILLING, BILLING.replace("google_service_account.push.member", '"allUsers"'),
    ),
    "one store at a time": (
        "provision does one store at a time",
        PROD, "concurrency = 1, threads = 2, max_instances = 40",
        "concurrency = 2, threads = 3, max_instances = 20",
    ),
    "provision's time": ("provision ends within 300 s", PROD, "timeout = 300", "timeout = 900"),
    "a path to probe": (
        "the path that its launcher answers",
        FUNCTION, LIVENESS, LIVENESS.replace("health", ""),
    ),
    "startup boost": ("starts with more CPU", FUNCTION, f"{BOOST}true", f"{BOOST}false"),
    "pinned secrets": ("a reference to one version", FUNCTION, "= env.value.version", '= "latest"'),
    "a thread for the probes": (
        "a probe needs one",
        PROD, "concurrency = 1, threads = 2", "concurrency = 1, threads = 1",
    ),
    "the client's secret": (
        "Only the console proves to an identity provider",
        "functions.tf", '["URUMI_CREDENTIALS_KEYS", "URUMI_LOGIN_KEYS"]',
        '["URUMI_CREDENTIALS_KEYS", "URUMI_LOGIN_KEYS", "URUMI_OIDC_CLIENT_SECRETS"]',
    ),
    "Cloud Armor": ("Cloud Armor stands before everything public", "front_door.tf", ARMOR, ""),
    "migrations run": ("runs its migrations", "migrations.tf", TOKEN, ""),
}  # fmt: skip

DATA = {
    "no public address": (
        "no public address",
        "database.tf", "ipv4_enabled    = false", "ipv4_enabled    = true",
    ),
    "TLS to the database": (
        "no connection in the clear",
        "database.tf", '"ENCRYPTED_ONLY"', '"ALLOW_UNENCRYPTED_AND_ENCRYPTED"',
    ),
    "identities in the database": (
        "is an IAM identity",
        "database.tf", '"cloudsql.iam_authentication" = "on"', '"cloudsql.iam_authentication" = "off"',
    ),
    "what the database logs": (
        "no statement with what a tenant typed",
        "database.tf", 'log_min_duration_statement    = "-1"', 'log_min_duration_statement    = "0"',
    ),
    "any moment of the last days": (
        "brought back to any moment",
        "database.tf", "point_in_time_recovery_enabled = true", "point_in_time_recovery_enabled = false",
    ),
    "two authorities": (
        "both authorities",
        "database.tf", "urumi.certs[*].cert", "urumi.certs[0][*].cert",
    ),
    "no passwords": (
        "No user of the database has a password",
        "database.tf", OPERATOR, f'{OPERATOR}  password = "secret"\n',
    ),
    "prod is protected": ("prod is protected", PROD, "protected   = true", "protected   = false"),
    "the database stays": (
        "refuses to be removed",
        "database.tf", "  deletion_protection = var.protected\n\n", "  deletion_protection = false\n\n",
    ),
    "cells stay": (
        "refuses to be removed",
        "cluster.tf", "deletion_protection      = var.protected", "deletion_protection      = false",
    ),
    "backups stay": (
        "before its time",
        "backups.tf", "is_locked        = var.backup_days.locked", "is_locked        = false",
    ),
    "backups are not public": ("never public", "backups.tf", '"enforced"', '"inherited"'),
    "who uploads reads nothing": (
        "neither read, replace nor remove",
        "backups.tf", "roles/storage.objectCreator", "roles/storage.objectAdmin",
    ),
    "connections": ("one_connection_more", "database.tf", "max_connections * 0.8", "max_connections * 0.9"),
}  # fmt: skip

CELLS = {
    "policies are enforced": (
        "enforces the stores' NetworkPolicies",
        "cluster.tf", '"ADVANCED_DATAPATH"', '"LEGACY_DATAPATH"',
    ),
    "private nodes": (
        "no public address",
        "cluster.tf", "enable_private_nodes = true", "enable_private_nodes = false",
    ),
    "stores' DNS": ("Pods ask kube-dns", "cluster.tf", '"KUBE_DNS"', '"CLOUD_DNS"'),
    "no cache of names": (
        "Pods ask kube-dns",
        "cluster.tf", "dns_cache_config {\n      enabled = false", "dns_cache_config {\n      enabled = true",
    ),
    "only to be heard": (
        "the cloud's rights would add up",
        "cluster.tf", f'["{CONNECT}"]', f'["{CONNECT}", "container.pods.exec"]',
    ),
    "a cell's own functions": (
        "A function looks after the cell",
        "functions.tf", "URUMI_CELL          = name", "URUMI_CELL          = var.new_stores_cell",
    ),
    "a cell's own names": (
        "called after it",
        "functions.tf", 'name     = "reconcile-${each.key}"',
        'name     = each.key == var.new_stores_cell ? "reconcile" : "reconcile-${each.key}"',
    ),
    "a cell's own messages": (
        "woken for their own stores",
        "pubsub.tf", 'attributes.cell = \\"${name}\\"', 'attributes.cell = \\"${var.new_stores_cell}\\"',
    ),
    "what names no cell": ("by what names no cell", "pubsub.tf", " OR NOT attributes:cell", ""),
    "billing's facts go to all": (
        "no filter may drop it",
        "pubsub.tf", "filter   = null", "filter   = local.of_cell[var.new_stores_cell]",
    ),
    "one cell for new stores": (
        "Whoever makes stores",
        "functions.tf", "var.cells[var.new_stores_cell].domain", "reverse(values(var.cells))[0].domain",
    ),
    "each cell's users": (
        "Each function of each cell is a user",
        "database.tf", MEMBER, f"{MEMBER} if service.cell == null || service.cell == var.new_stores_cell",
    ),
    "connections of each cell": (
        "a_second_cell_opens_connections_too",
        "database.tf", "? length(var.cells) : 1", "? 1 : 1",
    ),
    "the console has no way to a cell": (
        "API and console have no way to a cell",
        "cluster.tf", CALLERS, CALLERS.replace("function.member", "module.console.member"),
    ),
    "names of cells": ("a_name_that_no_account_can_have", "variables.tf", "{0,15}", "{0,99}"),
    "the API has no way to a cell": (
        "API and console have no way to a cell",
        "cluster.tf", CALLERS, CALLERS.replace("function.member", "module.create_store.member"),
    ),
}  # fmt: skip

BROKEN = {
    name: _of(tests, *entry)
    for tests, table in (
        ("messages", MESSAGES),
        ("functions", FUNCTIONS),
        ("data", DATA),
        ("cells", CELLS),
    )
    for name, entry in table.items()
}
