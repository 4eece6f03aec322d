"""The image, built and unpacked once per run, and instances of it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from images import oci
from images.build import archive
from images.functions.definition import FUNCTIONS
from tests.functions_image.cloud_run import Instance
from tests.images import saved
from tests.images.shop import unpack

_FIGURES: list[str] = []


@dataclass(frozen=True)
class Image:
    """The image: its archive, which may be of `docker save`, its files, and how it is run."""

    archive: Path
    root: Path
    run: dict[str, Any]


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    if packed := saved.given(FUNCTIONS.name):
        layers, run = saved.layers_of(packed), saved.configuration_of(packed)
    else:
        packed = archive(FUNCTIONS, print)
        layers, run = oci.layers_of(packed), oci.configuration_of(packed)
    folder = Path(tempfile.mkdtemp(prefix="urumi-functions-"))
    folder.chmod(0o755)  # the instances' user passes it
    try:
        unpack(packed, layers, folder / "root")
        yield Image(packed, folder / "root", run)
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def ours(image: Image) -> Image:
    """The image, where it is the one that is built here: of Debian's Python, with a bill of materials."""
    if saved.given(FUNCTIONS.name):
        pytest.skip("not of an image that Docker built")
    return image


@pytest.fixture(scope="session")
def instance(image: Image) -> Callable[[], Instance]:
    """For instances that last as long as the caller wants; `new` is for those of one test."""

    def make() -> Instance:
        folder = Path(tempfile.mkdtemp(prefix="urumi-instance-"))
        return Instance(folder, image.root, image.run)

    return make


@pytest.fixture
def new(instance: Callable[[], Instance]) -> Iterator[Callable[[], Instance]]:
    """Makes instances that end with the test."""
    made: list[Instance] = []

    def make() -> Instance:
        made.append(instance())
        return made[-1]

    try:
        yield make
    finally:
        for each in made:
            each.close()


@pytest.fixture(scope="session")
def figure() -> Callable[[str], None]:
    """Keeps a line for the end of the run: figures that nobody asserts."""
    return _FIGURES.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures."""
    if _FIGURES:
        terminalreporter.section("figures of the functions' image")
        for line in _FIGURES:
            terminalreporter.write_line(line)
