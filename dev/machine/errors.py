"""The one error of this package that people are meant to read."""

from __future__ import annotations


class MachineError(Exception):
    """Something that a person can put right; the message is one line that says what and how."""
