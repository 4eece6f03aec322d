"""The plans of this process, read once: the packaged file, or the one that URUMI_PLANS names."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import yaml
from pydantic import ValidationError

from control_plane.domain.plans import Plans

PACKAGED = Path(__file__).with_name("plans.yaml")


@cache
def plans() -> Plans:
    """Ends the process with a message that names the mistake, as a wrong setting does."""
    path = Path(os.environ.get("URUMI_PLANS") or PACKAGED)
    try:
        return read(path)
    except ValueError as error:
        raise SystemExit(f"URUMI_PLANS: {error}") from None


def read(path: Path) -> Plans:
    """The plans in that file. Raises ValueError with what is wrong and where."""
    try:
        return Plans.model_validate(yaml.safe_load(path.read_text()))
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read") from error
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ValueError(f"{path}: {where}: {first['msg'].removeprefix('Value error, ')}") from error
