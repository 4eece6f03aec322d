"""`urumi keys …`: the keys that seal administrators' passwords."""

from __future__ import annotations

import os

import typer

from control_plane.domain.errors import MisconfiguredError, TemporaryError
from dev.cli import output
from dev.cli.failures import UNREACHABLE, CommandError
from dev.machine import environment
from dev.machine.keys import keys
from dev.machine.place import Place

app = typer.Typer(no_args_is_help=True, help="Keys that seal passwords in the database (for operators).")

_URL, _KEYS = "URUMI_OPERATOR_DATABASE_URL", "URUMI_CREDENTIALS_KEYS"


@app.command("seal-again")
def seal_again() -> None:
    """Seal all unclaimed passwords with the first of the keys, so that the others can go.

    URUMI_CREDENTIALS_KEYS has the keys, as the functions have it; else those of this place are taken.
    """
    from control_plane import bootstrap  # noqa: PLC0415 - costs what `urumi --help` need not pay
    from control_plane.settings import VaultSettings  # noqa: PLC0415 - as above

    place = Place.from_environment()
    known = dict(os.environ) if _URL in os.environ else environment.read(place)
    if _URL not in known:
        raise CommandError("the platform was never started here: `urumi up` starts it", UNREACHABLE)
    sealing = os.environ.get(_KEYS) or keys(place).sealing
    try:
        settings = VaultSettings.model_validate({_URL: known[_URL], _KEYS: sealing})
        count = bootstrap.vault(settings).seal_again()
    except ValueError as error:
        raise CommandError(f"{_KEYS}: write Fernet keys with commas between, the newest first") from error
    except TemporaryError as error:
        raise CommandError(f"{error}: `urumi status` shows what runs", UNREACHABLE) from error
    except MisconfiguredError as error:
        raise CommandError(str(error)) from error
    output.say(f"{count} sealed with the first key")
