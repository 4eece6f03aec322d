"""The agent itself: small, patient, and not to be ended by anything that a plugin does."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import psutil
import pytest

from tests.images.containers import until
from tests.images.shop import Shop

IDLE = 40 * 2**20  # bytes
CONTAINER, SCRATCH = 256 * 2**20, 128 * 2**20  # bytes, as the chart limits them
# A plugin that shows its habit to the agent's children only, and counts how often it was loaded.
HABITS = """<?php
if (PHP_SAPI === 'cli') {
    $habit = trim(file_get_contents(WP_CONTENT_DIR . '/habit'));
    file_put_contents(WP_CONTENT_DIR . '/shown', "$habit\\n", FILE_APPEND);
    ini_set('memory_limit', '-1');
    match ($habit) {
        'exit' => exit(0),
        'die' => wp_die('Dead.'),
        'throw' => throw new Exception('Thrown.'),
        'hog' => (function () { while (true) { $all[] = random_bytes(1 << 20); } })(),
        'flood' => (function () { while (true) { echo str_repeat("flood\\n", 1 << 16); } })(),
        'kill' => posix_kill(posix_getppid(), SIGKILL),
        'loop' => (function () { while (true); })(),
        'none' => null,
    };
}
"""


def processes(shop: Shop) -> list[psutil.Process]:
    """All of the agent's container, the first one first."""
    first = psutil.Process(shop.agent.first_process())
    return [first, *first.children(recursive=True)]


def loop_of(shop: Shop) -> int | None:
    """The process id of the agent's loop."""
    for process in processes(shop):
        with suppress(psutil.NoSuchProcess):
            if process.cmdline()[-1:] == ["/usr/local/lib/urumi/agent.php"] and process.name() == "php":
                return int(process.pid)
    return None


def memory(shop: Shop, kind: str) -> int:
    """What all processes of the agent's container take, in bytes; a shared page counts in parts for `pss`."""
    total = 0
    for process in processes(shop):
        with suppress(psutil.NoSuchProcess):
            total += getattr(process.memory_full_info(), kind)
    return total


def test_the_idle_agent_is_small(ready_shop: Shop) -> None:
    def samples() -> Iterator[int]:
        for _ in range(20):
            time.sleep(0.1)
            yield memory(ready_shop, "rss")

    smallest = min(samples())  # a child that looks at the database comes and goes
    print(f"idle agent: {smallest / 2**20:.1f} MiB")
    assert 5 * 2**20 < smallest < IDLE


def test_its_probe_prints_one_text_for_each_reason(ready_shop: Shop, new_shop: Callable[..., Shop]) -> None:
    assert ready_shop.probe() == (0, "Ready.\n")
    shop = new_shop("woocommerce")
    (shop.folder / "agent-run/ready").touch()  # left by the container before
    shop.start()
    shop.until_status("The bundled plugins are not all active yet.")
    assert shop.probe() == (1, "The bundled plugins are not all active yet.\n")
    assert "the plugin woocommerce is not in this image" in shop.agent.output()


def test_it_backs_off_with_jitter(ready_shop: Shop) -> None:
    code = """
        require '/usr/local/lib/urumi/autoload.php';
        use Urumi\\Agent\\{Pause, Reason};
        for ($n = 0; $n < 50; $n++) {
            $pause = new Pause();
            $row = [];
            for ($failure = 0; $failure < 9; $failure++) { $row[] = $pause->seconds(Reason::ShopIncomplete); }
            $row[] = $pause->seconds(Reason::SiteWrong);
            $row[] = $pause->seconds(Reason::Ready);
            $all[] = $row;
        }
        echo json_encode($all);
    """
    pauses = list(zip(*json.loads(ready_shop.agent.execute("php", "-n", "-r", code).stdout), strict=True))
    for number, seconds in enumerate((0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10, 10, 10, 0.2, 20)):
        assert seconds * 0.74 < min(pauses[number]) < max(pauses[number]) < seconds * 1.26
        assert max(pauses[number]) > 1.2 * min(pauses[number])


def test_it_says_when_it_cannot_look(used_shop: Callable[[], Shop]) -> None:
    shop = used_shop()
    (shop.folder / "agent-tmp").chmod(0o755)
    shutil.chown(shop.folder / "agent-tmp", 0, 0)
    shop.start()
    shop.until_status("The agent cannot look at the store; its log says why.")
    assert "urumi-look-at-database.log cannot be written" in shop.agent.output()
    shutil.chown(shop.folder / "agent-tmp", 33, 33)
    shop.until_ready()


# What the fixture begins takes a minute; a test at the end of the run has the outcome.
@pytest.mark.usefixtures("stopped_database")
def test_nothing_ends_it(new_shop: Callable[..., Shop]) -> None:
    shop = new_shop()
    content = shop.folder / "content"
    (content / "mu-plugins").mkdir()
    (content / "mu-plugins/habits.php").write_text(HABITS)
    (content / "shown").touch(0o666)
    (content / "shown").chmod(0o666)
    (content / "habit").write_text("exit")
    shop.start()
    first, loop, most, largest = shop.agent.first_process(), None, 0, 0

    def shown(habits: list[str]) -> bool:
        nonlocal most, largest
        most = max(most, memory(shop, "pss"))
        largest = max(largest, sum(one.stat().st_size for one in (shop.folder / "agent-tmp").glob("*.log")))
        return (content / "shown").read_text().split()[-len(habits) :] == habits

    for habit in ("exit", "die", "throw", "hog", "flood", "exit"):
        (content / "habit").write_text(habit)
        until(f"it went on to {habit}", partial(shown, [habit]), 60)
        loop = loop or loop_of(shop)
        assert loop_of(shop) == loop is not None
        assert not shop.ready
    assert "Dead." in shop.agent.output()
    assert 100 * 2**20 < most < CONTAINER
    assert 10 * 2**20 < largest < SCRATCH

    (content / "habit").write_text("kill")
    until("the loop was killed twice", lambda: shown(["kill", "kill"]), 60)
    (content / "habit").write_text("none")
    shop.until_ready()
    _kill(loop_of(shop))
    until("the loop is another one", lambda: loop_of(shop) not in (None, loop), 30)
    shop.until_ready()
    assert shop.agent.first_process() == first

    (content / "habit").write_text("loop")
    began = time.monotonic()
    assert _asked(shop, "Child::run('look-at-site', 2.0)") is None
    assert time.monotonic() - began < 30
    assert shop.ready


def _kill(process: int | None) -> None:
    assert process is not None
    os.kill(process, signal.SIGKILL)


def _asked(shop: Shop, expression: str) -> object:
    """What a part of the agent answers in its container."""
    code = "require '/usr/local/lib/urumi/autoload.php'; use Urumi\\Agent\\{Child, Web};"
    return json.loads(shop.agent.execute("php", "-n", "-r", f"{code} echo json_encode({expression});").stdout)


def test_a_page_that_never_ends_does_not_hold_it(ready_shop: Shop) -> None:
    plugin = ready_shop.folder / "content/mu-plugins/drip.php"
    plugin.parent.mkdir(exist_ok=True)
    plugin.write_text(
        "<?php if (isset($_GET['drip'])) {"
        "for ($n = 0; $n < 60; $n++) { echo '.'; ob_get_level() && ob_flush(); flush(); usleep(500000); } }"
    )
    began = time.monotonic()
    answer = _asked(ready_shop, "Web::ask('/?drip', 2.0)")
    plugin.unlink()
    assert isinstance(answer, dict)
    assert answer["status"] == 0
    assert answer["body"] == ""
    assert time.monotonic() - began < 20


def test_its_probe_tells_a_change_at_once_and_otherwise_waits(shop: Shop) -> None:
    shop.agent.start()  # alone: it has nothing to change its mind about
    until("it has looked", lambda: shop.status == "The database does not answer.")

    def asked(patience: int) -> tuple[int, float]:
        began = time.monotonic()
        done = shop.agent.execute("/usr/local/bin/urumi-agent", "ready", str(patience))
        return done.returncode, time.monotonic() - began

    code, seconds = asked(3)  # a new container is not ready, which nobody needs to be told
    assert code == 1
    assert seconds >= 2
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(asked, 100)
        shop.database.start()
        shop.web.start()
        shop.until_ready()
        assert waiting.result(timeout=10)[0] == 0
        code, seconds = asked(3)
        assert code == 0
        assert seconds >= 2
        waiting = threads.submit(asked, 100)
        time.sleep(1)
        assert not waiting.done()
        loop = loop_of(shop)
        assert loop
        os.kill(loop, signal.SIGKILL)  # whoever cannot look says nothing good
        assert waiting.result(timeout=10)[0] == 1
