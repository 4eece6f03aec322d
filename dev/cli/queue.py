"""`urumi queue …`: messages that nobody can act on, and what an operator does about them."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from control_plane.domain.dead_letters import Answer, DeadLetter, LetterError, Operator
from control_plane.domain.errors import TemporaryError
from dev.cli import output
from dev.cli.failures import UNREACHABLE, USAGE, CommandError
from dev.machine import environment
from dev.machine.place import Place

if TYPE_CHECKING:
    from control_plane.bootstrap import OperatorDesk

app = typer.Typer(no_args_is_help=True, help="See and answer messages that nobody can act on.")

Which = Annotated[str, typer.Argument(help="The letter's id, or how it begins.", metavar="ID")]
Several = Annotated[list[str], typer.Argument(help="Ids of letters, or how they begin.", metavar="ID…")]
Reason = Annotated[str | None, typer.Option(help="Why, for the record.")]
Name = Annotated[str | None, typer.Option("--as", help="Who answers; the user and host if not given.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]

COLUMNS = ("id", "kind", "age", "store", "answer", "reason")
LIMIT = 100
_URL = "URUMI_OPERATOR_DATABASE_URL"
_ID_SHOWN = 8  # digits, in a table


@app.command("list")
def list_(
    answered: Annotated[bool, typer.Option("--all", help="The answered ones too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest.")] = LIMIT,
    as_json: Json = False,
) -> None:
    """Show the letters that wait for an answer, newest last."""
    desk = _desk()
    with _told():
        found = desk.letters.letters(answered=answered, limit=limit)
    if as_json:
        output.as_json({"letters": [_facts(letter) for letter in found]})
        return
    if not found:
        output.say("there are no letters" if answered else "no letter waits for an answer")
        return
    output.table(COLUMNS, [_row(letter) for letter in found])
    if len(found) == limit:
        output.say(f"these are the newest {limit}; for more: --limit")


@app.command()
def show(letter: Which, as_json: Json = False) -> None:
    """Show all that is known of one letter."""
    desk = _desk()
    with _told():
        found = desk.letters.find(letter)
    if as_json:
        output.as_json(_facts(found))
    else:
        output.fields(_facts(found))


@app.command()
def requeue(letters: Several, reason: Reason = None, name: Name = None, as_json: Json = False) -> None:
    """Try again: the store of a letter, if it is FAILED; the message, where no store is known."""
    operator = Operator(name or _user(), reason)

    def again(desk: OperatorDesk, letter: DeadLetter) -> str:
        return desk.requeue(letter, operator)

    _answer(letters, again, as_json=as_json)


@app.command()
def discard(
    letters: Several,
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Answer letters and do nothing else about them."""
    operator = Operator(name or _user(), reason)

    def drop(desk: OperatorDesk, letter: DeadLetter) -> str:
        desk.letters.answer(letter.id, Answer.DISCARDED, operator)
        return "discarded"

    _answer(letters, drop, as_json=as_json)


def _answer(
    prefixes: Sequence[str], answer: Callable[[OperatorDesk, DeadLetter], str], *, as_json: bool
) -> None:
    """One after the other. One that cannot be answered does not hold up the others, but is told."""
    desk = _desk()
    answered, failures = [], []
    for prefix in prefixes:
        try:
            with _told():
                letter = desk.letters.find(prefix)
                answered.append({"id": str(letter.id), "done": answer(desk, letter)})
        except CommandError as error:
            failures.append(error)
    if as_json:
        output.as_json({"answered": answered, "errors": [str(error) for error in failures]})
    else:
        for each in answered:
            output.line(f"{each['id']}  {each['done']}")
    if failures:
        message = "\nerror: ".join(str(error) for error in failures)
        raise CommandError(message, max(error.code for error in failures))


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except LetterError as error:
        raise CommandError(str(error)) from error
    except TemporaryError as error:
        raise CommandError(f"{error}: `urumi status` shows what runs", UNREACHABLE) from error


def _desk() -> OperatorDesk:
    from control_plane import bootstrap  # noqa: PLC0415 - half a second that `urumi --help` need not pay
    from control_plane.settings import OperatorSettings  # noqa: PLC0415 - as above

    here = environment.read(Place.from_environment())
    known = os.environ if _URL in os.environ else here  # never the database of one and the broker of another
    if _URL not in known:
        raise CommandError("the platform was never started here: `urumi up` starts it", UNREACHABLE)
    if "PUBSUB_PROJECT_ID" not in known:
        raise CommandError(f"PUBSUB_PROJECT_ID is not set, and {_URL} is", USAGE)
    settings = {
        _URL: known[_URL],
        "pubsub_project_id": known["PUBSUB_PROJECT_ID"],
        "pubsub_emulator_host": known.get("PUBSUB_EMULATOR_HOST"),
    }
    return bootstrap.operator(OperatorSettings.model_validate(settings))


def _user() -> str:
    return f"{getpass.getuser()}@{socket.gethostname()}"


def _facts(letter: DeadLetter) -> dict[str, str | int | None]:
    return {
        "id": str(letter.id),
        "kind": letter.kind.value,
        "reason": letter.reason,
        "store_id": str(letter.store_id) if letter.store_id else None,
        "store": letter.store_name,
        "state": letter.store_state.value if letter.store_state else None,
        "generation": letter.generation,
        "parked_at": letter.parked_at.isoformat(),
        "deliveries": letter.deliveries,
        "answer": letter.answer.value if letter.answer else None,
        "answered_at": letter.answered_at.isoformat() if letter.answered_at else None,
        "source": letter.source,
        "message_id": letter.message_id,
        "body": _printable(letter.body.decode(errors="replace")),
    }


def _row(letter: DeadLetter) -> tuple[str, ...]:
    store = letter.store_name or (str(letter.store_id) if letter.store_id else "")
    answer = letter.answer.value if letter.answer else ""
    return str(letter.id)[:_ID_SHOWN], letter.kind.value, _age(letter.age), store, answer, letter.reason


def _printable(text: str) -> str:
    """Escaped where it would move an operator's cursor, or worse: anybody may have written it."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _age(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"
