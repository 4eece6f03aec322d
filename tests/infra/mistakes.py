"""A copy of a root with one thing in it changed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mistake:
    """What stands once in a file, and what stands there instead."""

    file: str
    right: str
    wrong: str

    def made_in(self, root: Path, folder: Path) -> Path:
        """A copy of `root`, initialised as it is, with this mistake."""
        copy = folder / "copy"
        shutil.copytree(root, copy, symlinks=True)
        text = (copy / self.file).read_text()
        assert text.count(self.right) == 1, f"{self.file} has {self.right!r} {text.count(self.right)} times"
        (copy / self.file).write_text(text.replace(self.right, self.wrong))
        return copy
