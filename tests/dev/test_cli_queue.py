"""`urumi queue`: what an operator sees, does and is told."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner, Result

from control_plane import bootstrap
from control_plane.domain.dead_letters import BODY_LIMIT, DeadLetter
from control_plane.domain.errors import DatabaseUnavailableError, PermanentError
from control_plane.domain.events import StoreIntent
from control_plane.domain.store import StoreState
from dev.cli import main
from dev.machine import environment
from dev.machine.place import Place
from tests.builders import STORE
from tests.fakes.dead_letters import FakeDeadLetters
from tests.use_cases.platform import Platform


@pytest.fixture
def platform(monkeypatch, tmp_path) -> Platform:
    platform = Platform()
    monkeypatch.setenv("URUMI_HOME", str(tmp_path))
    monkeypatch.delenv("URUMI_OPERATOR_DATABASE_URL", raising=False)
    values = {
        "URUMI_OPERATOR_DATABASE_URL": "postgresql+pg8000://nobody@127.0.0.1:1/nothing",
        "PUBSUB_PROJECT_ID": "test-project",
    }
    environment.write(Place.from_environment(), values)
    desk = bootstrap.OperatorDesk(platform.letters, platform.requeue)
    monkeypatch.setattr(bootstrap, "operator", lambda _settings: desk)
    return platform


def run(*words: str) -> Result:
    return CliRunner().invoke(main.app, ["queue", *words])


def parked(platform: Platform, *bodies: bytes) -> list[DeadLetter]:
    for body in bodies:
        platform.dead_topic.arrive(body, deliveries=10)
    platform.run_pass()
    return list(platform.letters.letters(answered=False, limit=len(bodies)))


def refused(platform: Platform) -> DeadLetter:
    store = platform.create("pottery")
    platform.releases.errors = [PermanentError("the chart was refused")] * 2
    platform.give_up(store.id)
    return platform.letters.letters(answered=False, limit=1)[0]


def test_an_empty_queue_says_so(platform):
    done = run("list")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "no letter waits for an answer\n")
    assert json.loads(run("list", "--json").stdout) == {"letters": []}


def test_list_shows_kind_age_store_and_reason_newest_last(platform):
    parked(platform, StoreIntent(STORE, 1).encode())
    platform.clock.later(7300)
    letter = refused(platform)
    header, first, second = run("list").stdout.splitlines()
    assert header.split() == ["id", "kind", "age", "store", "answer", "reason"]
    assert "undeliverable" in first
    assert "2 h" in first
    assert str(STORE) in first
    assert second.startswith(str(letter.id)[:8])
    assert second.endswith("the chart was refused")
    assert "pottery" in second


def test_list_tells_when_there_may_be_more(platform):
    parked(platform, b"1", b"2")
    assert "the newest 1" in run("list", "--limit", "1").stderr
    assert run("list", "--limit", "3").stderr == ""


def test_show_has_everything_and_lets_nobody_write_on_the_terminal(platform):
    (letter,) = parked(platform, b"\x1b[2Jboo\x00\xff")
    shown = run("show", str(letter.id)[:8]).stdout
    assert r"\x1b[2Jboo\x00" in shown
    assert "\x1b" not in shown
    facts = json.loads(run("show", str(letter.id), "--json").stdout)
    assert (facts["kind"], facts["deliveries"], facts["state"]) == ("undeliverable", 1, None)


def test_requeue_retries_a_failed_store_and_records_who_asked(platform):
    letter = refused(platform)
    done = run("requeue", str(letter.id)[:8], "--as", "anna", "--reason", "chart mended")
    assert (done.exit_code, done.stdout) == (0, f"{letter.id}  store pottery is QUEUED again\n")
    assert platform.state(letter.store_id) is StoreState.QUEUED
    assert platform.tables.operations == [("anna", "dead letter requeued", str(letter.id), "chart mended")]


def test_without_a_name_the_user_and_host_are_recorded(platform, monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "ben")
    monkeypatch.setattr("socket.gethostname", lambda: "desk")
    (letter,) = parked(platform, b"poison")
    assert run("discard", str(letter.id), "--reason", "noise").exit_code == 0
    assert platform.tables.operations == [("ben@desk", "dead letter discarded", str(letter.id), "noise")]


def test_one_that_cannot_be_answered_is_told_and_holds_up_nobody(platform):
    first, second = parked(platform, b"1", b"2")
    done = run("discard", str(first.id), "00000000", "xyz", str(second.id), "--reason", "noise", "--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert [each["id"] for each in told["answered"]] == [str(first.id), str(second.id)]
    assert len(told["errors"]) == 2
    assert done.stderr.count("error: ") == 2
    assert platform.letters.letters(answered=False, limit=9) == []


def test_answering_twice_is_an_error(platform):
    (letter,) = parked(platform, b"poison")
    assert run("discard", str(letter.id), "--reason", "noise").exit_code == 0
    for words in (("discard", str(letter.id), "--reason", "again"), ("requeue", str(letter.id))):
        done = run(*words)
        assert (done.exit_code, done.stderr.count("error: ")) == (1, 1)
    assert len(platform.tables.operations) == 1
    assert "discarded" in run("list", "--all").stdout


def test_a_letter_whose_store_goes_its_way_says_what_to_do(platform):
    letter = refused(platform)
    platform.purge(letter.store_id)
    done = run("requeue", str(letter.id))
    assert done.exit_code == 1
    assert f"urumi queue discard {letter.id}" in done.stderr


def test_discarding_wants_a_reason(platform):
    (letter,) = parked(platform, b"poison")
    assert run("discard", str(letter.id)).exit_code == 2


def test_a_broker_or_a_database_that_is_away_is_told_by_the_exit_code(platform, monkeypatch):
    (letter,) = parked(platform, b"x" * (BODY_LIMIT - 1))
    platform.events.down = True
    assert run("requeue", str(letter.id)).exit_code == 3

    def away(*_: object, **__: object) -> None:
        raise DatabaseUnavailableError("the database does not answer")

    monkeypatch.setattr(FakeDeadLetters, "letters", away)
    done = run("list")
    assert (done.exit_code, done.stderr) == (
        3, "error: the database does not answer: `urumi status` shows what runs\n",
    )  # fmt: skip


def test_without_a_platform_nothing_is_guessed(platform, monkeypatch, tmp_path):
    monkeypatch.setenv("URUMI_HOME", str(tmp_path / "elsewhere"))
    done = run("list")
    assert done.exit_code == 3
    assert "urumi up" in done.stderr


def test_the_settings_come_from_one_place(platform, monkeypatch):
    asked = []
    monkeypatch.setattr(bootstrap, "operator", asked.append)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "another.project:1")
    run("list")
    assert (asked[0].pubsub_project_id, asked[0].pubsub_emulator_host) == ("test-project", None)

    monkeypatch.setenv("URUMI_OPERATOR_DATABASE_URL", "postgresql+pg8000://somebody@elsewhere/urumi")
    assert "PUBSUB_PROJECT_ID is not set" in run("list").stderr
