"""The load balancer sends each path to the function that serves it, by the functions' own tables."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from werkzeug.routing import Map

from control_plane import settings
from control_plane.launcher import HEALTH
from dev.terraform.applied import Resource

API, CONSOLE, WEBHOOK = "create_store", "console", "stripe_webhook"


@pytest.fixture(scope="module")
def tables() -> Iterator[Mapping[str, Map]]:
    """The routes of each function, made without settings and leaving nothing imported that needs some."""
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "from_environment", lambda _kind: None)
        yield {name: importlib.import_module(f"functions.{name}.main").MAP for name in (API, CONSOLE)}
    for name in {each for each in sys.modules if each.startswith("functions.")} - before:
        del sys.modules[name]


def paths(table: Map) -> set[str]:
    """An example of each path."""
    return {re.sub("<[^>]+>", "0a1b", rule.rule) for rule in table.iter_rules()}


class Door:
    """The URL map of an apply, as Google reads it: the longest path that fits, else the default."""

    def __init__(self, resources: list[Resource]) -> None:
        made = {each.address: each.values for each in resources}
        self._map = made["google_compute_url_map.api"]
        (self._matcher,) = self._map["path_matcher"]
        services = {
            each.values["name"]: _setting(each.values, "FUNCTION_TARGET")
            for each in resources
            if each.type == "google_cloud_run_v2_service"
        }
        groups = "google_compute_region_network_endpoint_group"
        behind = {
            each.values["id"]: services[each.values["cloud_run"][0]["service"]]
            for each in resources
            if each.type == groups
        }
        self._targets = {
            each.values["id"]: behind[each.values["backend"][0]["group"]]
            for each in resources
            if each.type == "google_compute_backend_service"
        }
        assert len(self._targets) == 3, "what cannot be told apart proves nothing"

    @property
    def hosts(self) -> set[str]:
        """For which host names the paths count."""
        return {host for rule in self._map["host_rule"] for host in rule["hosts"]}

    @property
    def default(self) -> set[str]:
        """Where all goes that no rule names, of our host and of any other."""
        return {self._targets[each["default_service"]] for each in (self._map, self._matcher)}

    def target(self, path: str) -> str:
        """The function that is asked for the path."""
        rules = {named: rule["service"] for rule in self._matcher["path_rule"] for named in rule["paths"]}
        fitting = [
            named
            for named in rules
            if named == path or (named.endswith("/*") and path.startswith(named.removesuffix("*")))
        ]
        found = rules[max(fitting, key=len)] if fitting else self._matcher["default_service"]
        return self._targets[found]


def _setting(service: Mapping[str, Any], name: str) -> str:
    (container,) = service["template"][0]["containers"]
    (value,) = (each["value"] for each in container["env"] if each["name"] == name)
    return str(value)


@pytest.fixture
def door(resources: list[Resource]) -> Door:
    return Door(resources)


def test_every_path_of_the_api_goes_to_the_api(door: Door, tables: Mapping[str, Map]) -> None:
    assert {"/v1/stores", "/docs", "/openapi.json"} <= paths(tables[API])
    for path in (*paths(tables[API]), HEALTH, "/v1", "/v1/", "/v1/what-never-was"):
        assert (path, door.target(path)) == (path, API)


def test_every_other_path_is_the_consoles(door: Door, tables: Mapping[str, Map]) -> None:
    assert door.default == {CONSOLE}
    assert {"/", "/signin", "/signin/callback", "/signout"} <= paths(tables[CONSOLE])
    for path in (*paths(tables[CONSOLE]), "/v2/stores", "/v1x", "/docs/x", "/what-never-was"):
        assert (path, door.target(path)) == (path, CONSOLE)


def test_stripes_calls_go_to_the_webhook(door: Door) -> None:
    assert door.target("/stripe/webhook") == WEBHOOK


def test_api_and_console_are_one_host_and_know_it(door: Door, resources: list[Resource]) -> None:
    (host,) = door.hosts
    for each in resources:
        if each.type == "google_cloud_run_v2_service" and each.values["name"] in ("create-store", "console"):
            assert _setting(each.values, "URUMI_PUBLIC_URL") == f"https://{host}"


def test_what_is_asked_from_outside_answers_as_it_is_expected_to(
    door: Door, resources: list[Resource]
) -> None:
    # Google counts 200 as an answer by itself. The console's page tells whoever has no session so with 401
    # (tests/functions/test_console_guarded.py).
    expected = {API: (HEALTH, 200), CONSOLE: ("/", 401)}
    checks = [each.values for each in resources if each.type == "google_monitoring_uptime_check_config"]
    found = {}
    for check in checks:
        (asked,) = check["http_check"]
        (answer,) = asked["accepted_response_status_codes"]
        found[door.target(asked["path"])] = (asked["path"], answer["status_value"])
    assert found == expected


def test_a_new_path_of_the_api_without_a_rule_would_show(door: Door) -> None:
    assert door.target("/graphql") != API
