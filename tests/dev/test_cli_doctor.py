"""`urumi doctor` and `urumi orphans`: what people and scripts get, with examinations of our own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from typer.testing import CliRunner

from control_plane import bootstrap
from control_plane.domain.dead_letters import Operator
from control_plane.domain.invariants import catalogue
from control_plane.domain.invariants.catalogue import INVARIANTS, Part
from control_plane.domain.invariants.findings import Finding, Problem, Report, report_of
from control_plane.domain.orphans import NoOrphanError, Orphan
from control_plane.domain.store import StoreState
from dev.cli import doctor, main
from dev.machine.place import CHECKOUT

STORE = UUID(int=7)
FOUND = Finding(catalogue.ISOLATION_STANDS, f"store {STORE}", "no quota", "the plan's", STORE)
AWAY = Problem(Part.STORES_IN_CELL, "the API server does not answer", "see that it does")
AT = datetime(2026, 1, 1, tzinfo=UTC)


def a_report(*findings: Finding, problems: tuple[Problem, ...] = (), more: int = 0) -> Report:
    return report_of(
        findings,
        checked_at=AT,
        stores=3,
        more={each.invariant: more for each in findings},
        unsettled=frozenset(),
        problems=problems,
        attention=("2 dead letters wait",),
    )


class Examinations:
    """Answers with these reports, one after the other; the last one stays."""

    def __init__(self) -> None:
        self.reports = [a_report()]
        self.patience: list[float] = []

    def __call__(self, *, patience: float) -> Report:
        self.patience.append(patience)
        return self.reports.pop(0) if len(self.reports) > 1 else self.reports[0]


class Desk:
    """Orphans on record."""

    def __init__(self) -> None:
        self.known = [Orphan(STORE, AT, AT, None, StoreState.DELETED), Orphan(uuid4(), AT, None, None, None)]
        self.asked: list[tuple[UUID, Operator]] = []
        self.error: Exception | None = None

    def orphans(self, *, limit: int) -> list[Orphan]:
        return self.known[:limit]

    def ask_removal(self, store_id: UUID, operator: Operator) -> None:
        if self.error:
            raise self.error
        self.asked.append((store_id, operator))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("URUMI_HOME", str(tmp_path))
    monkeypatch.setenv("URUMI_OPERATOR_DATABASE_URL", "postgresql+pg8000://nobody@127.0.0.1:1/nothing")
    monkeypatch.setenv("URUMI_OPERATOR_KUBECONFIG", "/nowhere")


@pytest.fixture
def examinations(monkeypatch: pytest.MonkeyPatch) -> Examinations:
    made = Examinations()
    monkeypatch.setattr(bootstrap, "doctor", lambda _settings: made)
    return made


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk()
    monkeypatch.setattr(bootstrap, "orphans", lambda _settings: made)
    return made


def run(*words: str):
    return CliRunner().invoke(main.app, list(words))


def test_all_holding_is_success_and_attention_changes_nothing(examinations):
    done = run("doctor")
    assert done.exit_code == 0
    assert "attention: 2 dead letters wait" in done.stdout
    assert all(name in done.stdout for name in INVARIANTS)
    assert examinations.patience == [doctor.PATIENCE]


def test_what_does_not_hold_is_told_with_evidence_and_what_to_do(examinations):
    examinations.reports = [a_report(FOUND, more=4)]
    done = run("doctor", "--patience", "7")
    assert done.exit_code == 1
    assert f"store {STORE}: no quota (expected: the plan's)" in done.stdout
    assert "and 0 more, and 4 that were seen once" in done.stdout
    assert INVARIANTS[catalogue.ISOLATION_STANDS].advice in done.stdout
    assert examinations.patience == [7.0]


def test_what_could_not_be_looked_at_has_an_exit_code_of_its_own(examinations):
    examinations.reports = [a_report(problems=(AWAY,))]
    done = run("doctor")
    assert done.exit_code == 3
    assert (
        "not looked at: stores in the cell: the API server does not answer; see that it does" in done.stderr
    )


def test_a_violation_counts_for_more_than_what_is_unknown(examinations):
    rights = Finding(catalogue.RIGHTS_STAND, "policy p", "missing", "in force")
    examinations.reports = [a_report(rights, problems=(AWAY,))]
    assert run("doctor").exit_code == 1


def test_json_is_one_document_of_all(examinations):
    examinations.reports = [a_report(FOUND, problems=(AWAY,))]
    done = run("doctor", "--json")
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert document["checked_at"] == AT.isoformat()
    assert (document["stores"], document["holds"]) == (3, False)
    assert [each["name"] for each in document["invariants"]] == list(INVARIANTS)
    by_name = {each["name"]: each for each in document["invariants"]}
    isolation = by_name[catalogue.ISOLATION_STANDS]
    assert isolation["verdict"] == "violated"
    assert isolation["evidence"] == [
        {"store_id": str(STORE), "subject": f"store {STORE}", "seen": "no quota", "expected": "the plan's"}
    ]
    assert by_name[catalogue.READY_IS_TRUE]["verdict"] == "unknown"
    assert by_name[catalogue.ONLY_ALLOWED_MOVES]["verdict"] == "holds"
    assert [each["part"] for each in document["not_looked_at"]] == ["stores in the cell"]


def test_watching_tells_what_changes(examinations, monkeypatch):
    examinations.reports = [a_report(), a_report(FOUND), a_report(FOUND), a_report()]
    pauses = iter(range(3))

    def pause(_seconds: float) -> None:
        if next(pauses, None) is None:
            raise KeyboardInterrupt

    monkeypatch.setattr(doctor.time, "sleep", pause)
    done = run("doctor", "--watch")
    changes = [line.split("  ", 1)[1] for line in done.stdout.splitlines() if line[2:3] == ":"]
    assert changes == [
        "isolation-stands: violated",
        f"isolation-stands: store {STORE}: no quota (expected: the plan's)",
        "isolation-stands: holds",
        f"isolation-stands: store {STORE}: not found any more",
    ]


def test_watching_and_json_do_not_go_together(examinations):
    done = run("doctor", "--watch", "--json")
    assert done.exit_code == 2
    assert examinations.patience == []


@pytest.fixture
def undone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("URUMI_OPERATOR_DATABASE_URL", "URUMI_OPERATOR_KUBECONFIG"):
        monkeypatch.delenv(name)
    return


def test_a_place_where_nothing_was_started_says_so(undone):
    done = run("doctor")
    assert done.exit_code == 3
    assert "urumi up" in done.stderr


def test_half_of_the_settings_is_refused(monkeypatch):
    monkeypatch.delenv("URUMI_OPERATOR_KUBECONFIG")
    done = run("doctor")
    assert done.exit_code == 1
    assert "URUMI_OPERATOR_KUBECONFIG is not set" in done.stderr


def test_orphans_on_record_and_what_else_is_seen(examinations, desk):
    elsewhere = Finding(
        catalogue.ONE_RELEASE_PER_STORE, "release r in namespace n", "release r", "-", uuid4()
    )
    without = Finding(catalogue.NO_ORPHANS, f"store {UUID(int=9)}", "no namespace", "-", UUID(int=9))
    known = Finding(catalogue.DELETED_IS_GONE, f"store {STORE}", "its namespace", "-", STORE)
    other = Finding(catalogue.ONE_RELEASE_PER_STORE, f"store {UUID(int=8)}", "two", "one", UUID(int=8))
    examinations.reports = [a_report(elsewhere, without, known, other)]
    listed = json.loads(run("orphans", "list", "--json").stdout)
    assert [each["store"] for each in listed["orphans"]] == ["DELETED", None]
    assert listed["orphans"][0]["quarantined_at"] == AT.isoformat()
    assert {each["subject"] for each in listed["also_seen"]} == {elsewhere.subject, without.subject}
    shown = run("orphans", "list")
    assert shown.exit_code == 0
    assert "never known" in shown.stdout


def test_no_orphans_at_all_and_a_cell_that_does_not_answer(examinations, desk):
    desk.known = []
    assert "there are no orphans" in run("orphans", "list").stderr
    examinations.reports = [a_report(problems=(AWAY,))]
    assert run("orphans", "list").exit_code == 3


@pytest.mark.parametrize("name", [f"store-{STORE}", str(STORE)])
def test_removing_says_who_and_why(desk, name):
    done = run("orphans", "remove", name, "--reason", "a drill", "--as", "me")
    assert done.exit_code == 0
    assert desk.asked == [(STORE, Operator("me", "a drill"))]


def test_removing_what_is_a_stores_is_one_line(desk):
    desk.error = NoOrphanError("it is a store's")
    done = run("orphans", "remove", str(STORE))
    assert (done.exit_code, done.stderr) == (1, "error: it is a store's\n")
    assert run("orphans", "remove", "kube-system").exit_code == 2


def test_the_manual_states_every_invariant_as_the_doctor_does():
    manual = (CHECKOUT / "docs" / "operating.md").read_text()
    for name, invariant in INVARIANTS.items():
        assert f"| `{name}` | {invariant.statement} |" in manual
