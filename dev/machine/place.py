"""The folder in which one running copy of everything keeps its files: `.local/`, or another one in tests."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Place:
    """Where one running copy keeps its data, logs, process records and addresses."""

    root: Path

    @classmethod
    def from_environment(cls) -> Place:
        """`URUMI_HOME` if set, else `.local/` in the checkout."""
        return cls(Path(os.environ.get("URUMI_HOME") or CHECKOUT / ".local").resolve())

    @property
    def name(self) -> str:
        """What the machine calls that of this place, and of no other, which is outside of its folder."""
        return f"urumi-{hashlib.sha256(str(self.root).encode()).hexdigest()[:8]}"

    @property
    def data(self) -> Path:
        return self._folder("data")

    @property
    def logs(self) -> Path:
        return self._folder("logs")

    @property
    def run(self) -> Path:
        return self._folder("run")

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def environment(self) -> Path:
        return self.root / "environment"

    def log(self, part: str) -> Path:
        return self.logs / f"{part}.log"

    def _folder(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder
