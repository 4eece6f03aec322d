"""The plugins that this ring's stores have: the tests' own shop, and one that takes a while to copy."""

from __future__ import annotations

import shutil
from pathlib import Path

SHOP = Path(__file__).parents[1] / "images" / "plugins" / "urumi-test-shop"
FILLER = "urumi-test-many-files"
_FILES = 3000

_HEADER = """<?php
/**
 * Plugin Name: Urumi test, many files
 * Version: 1.0.0
 */
"""


def a_folder_of_plugins(folder: Path) -> None:
    """Fill the folder; the same bytes every time, so that the image is built once."""
    shutil.copytree(SHOP, folder / SHOP.name)
    many = folder / FILLER
    (many / "files").mkdir(parents=True)
    (many / "plugin.php").write_text(_HEADER)
    for number in range(_FILES):
        (many / "files" / f"{number}.txt").write_text(f"{number}\n" * 20)
