"""What no first boot can avoid, each part timed alone as a command, with no limit of CPU. In seconds.

The parts run on the unpacked images, in namespaces like a pod's (tests/images). A part takes its own times
inside, so that the making of its namespaces does not count.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from images import oci
from images.definitions import DATABASE, STORE
from tests.images.containers import Container, Network, until
from tests.images.shop import Roots, Shop, unpack

INSTALL_DB = "mariadb-install-db"
SERVER = "server start -> first TCP answer"
ACTIVATE = "activate-plugins"  # where there are any to activate
TASKS = ("install-wordpress", ACTIVATE, "finish-site")
INSTALL = "install in plain PHP, the tasks below"
PAGE = "first wp-login.php of a fresh Apache"
CONTAINER = "one container start"
UNAVOIDABLE = (INSTALL_DB, SERVER, INSTALL, PAGE, CONTAINER)
"""Their sum is what a first boot is measured by: each as it is done without anything of ours prepared."""
FIRST_START = "  our first start instead: a copy, with its syncs and rename"
DETAILS = (FIRST_START, *(f"  {task}" for task in TASKS))

# In the end the entry point up to where it begins to act.
_DATA = f"""
set -e
begun=$EPOCHREALTIME
mariadb-install-db --no-defaults --force --datadir=/var/lib/mysql/plain --skip-test-db >/dev/null
[ -s /var/lib/mysql/plain/ibdata1 ]
echo "took {INSTALL_DB}: $begun $EPOCHREALTIME"
rm -r /var/lib/mysql/plain
eval "$(sed '/^\\[ -w /,$d' /usr/local/bin/urumi-database)"
begun=$EPOCHREALTIME
first_start
echo "took {FIRST_START}: $begun $EPOCHREALTIME"
"""
_SERVER = "echo begun: $EPOCHREALTIME; exec /usr/local/bin/urumi-database"
_TASKS = """
set -eu
export PHP_INI_SCAN_DIR=:/usr/local/lib/urumi/php
php -n -r 'require "/usr/local/lib/urumi/autoload.php"; Urumi\\Installation::fresh()->write();'
for task in $TASKS; do
  begun=$EPOCHREALTIME
  php /usr/local/lib/urumi/child.php "$task" "/tmp/$task.json"
  [ -s "/tmp/$task.json" ]
  echo "took   $task: $begun $EPOCHREALTIME"
done
"""
_FIRST_ANSWER = """
import socket, sys, time
print("looking", flush=True)
while True:
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5).close()
        break
    except OSError:
        time.sleep(0.001)
print(time.time())
"""
_TOOK = re.compile(r"^took (.*): (\S+) (\S+)$", re.MULTILINE)
_ANSWERED = re.compile(r'"GET /wp-login\.php HTTP/\S+ (\d+) \S+ (\d+) ')


@contextmanager
def unpacked(archives: Mapping[str, Path]) -> Iterator[Roots]:
    """The root filesystems of those images, by reference, for as long as they are used."""
    with _folder("urumi-bench-images-") as folder:
        for name, reference in (("store", STORE.reference), ("database", DATABASE.reference)):
            archive = archives[reference]
            unpack(archive, oci.layers_of(archive), folder / name)
        yield Roots(folder / "store", folder / "database")


def once(roots: Roots, plugins: Sequence[str]) -> dict[str, float]:
    """Each part but the container start, once, on empty volumes."""
    with _folder("urumi-bench-shop-") as folder:
        shop = Shop(folder, roots, tuple(plugins))
        try:
            took = _run(_doing(shop.database, _DATA))
            server = _doing(shop.database, _SERVER)
            try:
                took[SERVER] = _first_answer(server)
                _run(shop.seed)
                tasks = [task for task in TASKS if task != ACTIVATE or plugins]
                took |= dict.fromkeys((f"  {task}" for task in TASKS), 0.0)
                took |= _run(_doing(shop.agent, f"TASKS='{' '.join(tasks)}'\n{_TASKS}"))
                took[INSTALL] = sum(took[f"  {task}"] for task in TASKS)
                took[PAGE] = _first_page(shop)
            finally:
                server.kill()
        finally:
            shop.close()
    return took


def container_start(entering: Sequence[str], group: str) -> float:
    """From the command that starts a container of the store's image to the first word of its process."""
    own = f"bench-{time.time_ns()}"
    command = [
        *entering, "/run/tools/ctr", "--namespace", "k8s.io", "run", "--rm", "--cgroup", f"{group}/{own}",
        f"docker.io/{STORE.reference}", own, "bash", "-c", "echo $EPOCHREALTIME",
    ]  # fmt: skip
    begun = time.time()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"no container starts: {done.stderr.strip()}")
    return float(done.stdout) - begun


def _doing(container: Container, script: str) -> Container:
    return replace(container, command=["bash", "-c", script])


def _run(container: Container) -> dict[str, float]:
    """What it says that it took."""
    status, said = container.run(), container.output()
    if status != 0:
        raise SystemExit(f"{container.name} ended with {status}: {said[-2000:]}")
    return {name: float(end) - float(begin) for name, begin, end in _TOOK.findall(said)}


def _first_answer(server: Container) -> float:
    with _looking(server.network, 3306) as look:
        server.start()
        answered = float(look.communicate(timeout=60)[0])
    (begun,) = re.findall(r"^begun: (\S+)$", server.output(), re.MULTILINE)
    return answered - float(begun)


def _first_page(shop: Shop) -> float:
    """By Apache's own clock."""
    with _looking(shop.network, 80) as look:
        shop.web.start()
        look.communicate(timeout=60)
    shop.ask("/wp-login.php")
    until("the page is in the log", lambda: _ANSWERED.search(shop.web.output()) is not None)
    found = _ANSWERED.search(shop.web.output())
    if found is None or found[1] != "200":
        raise SystemExit(f"the login page does not answer: {shop.web.output()[-2000:]}")
    return int(found[2]) / 1e6


@contextmanager
def _looking(network: Network, port: int) -> Iterator[subprocess.Popen[str]]:
    """A process that prints when the port answered first; it looks already."""
    command = [*network.entering, sys.executable, "-IS", "-c", _FIRST_ANSWER, str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as look:
        try:
            if look.stdout:
                look.stdout.readline()
            yield look
        finally:
            look.kill()


@contextmanager
def _folder(prefix: str) -> Iterator[Path]:
    """A folder that other users can pass."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
