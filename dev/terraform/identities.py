"""The table of identities and what each may do, made from what an apply would make."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from dev.terraform.applied import Resource

# On what a grant is, by the type of the resource: a word, and the attribute with its name.
_ON = {
    "google_artifact_registry_repository_iam_member": ("images", "repository"),
    "google_cloud_run_v2_service_iam_member": ("service", "name"),
    "google_dns_managed_zone_iam_member": ("zone", "managed_zone"),
    "google_project_iam_member": ("the project", ""),
    "google_pubsub_subscription_iam_member": ("subscription", "subscription"),
    "google_pubsub_topic_iam_member": ("topic", "topic"),
    "google_secret_manager_secret_iam_member": ("secret", "secret_id"),
    "google_service_account_iam_member": ("account", "service_account_id"),
    "google_storage_bucket_iam_member": ("bucket", "bucket"),
}


class UnknownGrantError(Exception):
    """A kind of grant that this table cannot show."""


def table(resources: Sequence[Resource]) -> str:
    """Markdown: each identity, what it is for, its roles and on what."""
    accounts = [each.values for each in resources if each.type == "google_service_account"]
    titles = {account["account_id"]: account["display_name"] for account in accounts}
    names = _names(resources, accounts)
    grants = defaultdict(list)
    for each in resources:
        if "_iam_" in each.type and each.type != "google_project_iam_custom_role":
            grants[_who(each, names)].append(_grant(each, names))
    lines = ["| identity | is | may |", "|---|---|---|"]
    for who in sorted(titles.keys() | grants.keys()):
        may = "; ".join(sorted(grants[who])) or "nothing"
        lines.append(f"| `{who}` | {titles.get(who, 'not ours')} | {may} |")
    return "\n".join(lines) + "\n"


def _names(resources: Sequence[Resource], accounts: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Names for people by what Google would answer."""
    names = {}
    for account in accounts:
        for attribute in ("member", "email", "name", "id"):
            names[account[attribute]] = account["account_id"]
    for each in resources:
        if each.type == "google_project_iam_custom_role":
            names[each.values["id"]] = f"{', '.join(each.values['permissions'])}"
    return names


def _who(grant: Resource, names: Mapping[str, str]) -> str:
    member = grant.values["member"]
    # An account's e-mail address with its kind before it is written by us, not answered by Google.
    return str(names.get(member) or names.get(member.partition(":")[2]) or member)


def _grant(grant: Resource, names: Mapping[str, str]) -> str:
    if grant.type not in _ON:
        raise UnknownGrantError(f"{grant.address}: say in identities.py on what it is")
    word, attribute = _ON[grant.type]
    role = grant.values["role"]
    on = (
        f"{word} `{_short(names.get(grant.values[attribute], grant.values[attribute]))}`"
        if attribute
        else word
    )
    condition = [f" ({each['title']})" for each in grant.values.get("condition") or []]
    return f"{names.get(role, _short(role))} on {on}{''.join(condition)}"


def _short(name: str) -> str:
    return re.sub(r"^(?:projects/[^/]+/)?(?:roles|secrets|topics|subscriptions)/", "", name)
