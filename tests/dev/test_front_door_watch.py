"""What is known of the cluster: kept up to date, and kept while the server is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dev.front_door import watch
from dev.front_door.api import Api
from dev.front_door.backoff import Backoff
from dev.front_door.objects import Key, Service, service_of
from dev.front_door.server import Server, of_kubeconfig
from dev.front_door.watch import Watch
from tests.fakes.api_server import SERVICES, ApiServer, service, serving

# Python's ssl leaves to the garbage collector what is reset between connecting and the handshake, as by a
# server that is stopping.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")


@pytest.fixture(params=[False, True], ids=["http", "https"])
def api(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ApiServer]:
    with serving(tmp_path, tls=request.param) as server:
        yield server


@pytest.fixture
def watching(api: ApiServer) -> Iterator[Callable[[], Watch[Service]]]:
    """Begins a watch, which ends with the test."""
    over = threading.Event()
    threads: list[threading.Thread] = []

    def find() -> Server:
        if over.is_set():
            raise SystemExit
        return of_kubeconfig(api.folder / "kubeconfig")

    def run(made: Watch[Service]) -> None:
        with suppress(SystemExit):
            made.run()

    def begin() -> Watch[Service]:
        api.kubeconfig()
        made = Watch(Api(find), SERVICES, service_of, lambda: None)
        threads.append(threading.Thread(target=run, args=(made,), daemon=True))
        threads[-1].start()
        return made

    yield begin
    over.set()
    api.stop()
    for each in threads:
        each.join(10)


def _becomes(seen: Callable[[], bool], seconds: float = 10) -> None:
    give_up = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def _addresses(known: dict[Key, Service] | None) -> dict[str, str] | None:
    return None if known is None else {key[1]: one.address for key, one in known.items()}


def test_created_changed_and_deleted_objects_are_known_without_another_list(api: ApiServer, watching) -> None:
    api.put(service("a", "10.0.0.1"))
    seen = watching()
    _becomes(lambda: _addresses(seen.known()) == {"a": "10.0.0.1"})
    api.put(service("b", "10.0.0.2"))
    _becomes(lambda: _addresses(seen.known()) == {"a": "10.0.0.1", "b": "10.0.0.2"})
    api.put(service("a", "10.0.0.3"))
    api.delete(SERVICES, "b")
    _becomes(lambda: _addresses(seen.known()) == {"a": "10.0.0.3"})
    assert len([query for _, query in api.asked if "watch" not in query]) == 1


def test_a_long_list_comes_in_pages(api: ApiServer, watching) -> None:
    api.put(*(service(f"s{number}", "10.0.0.1") for number in range(1100)))
    seen = watching()
    _becomes(lambda: seen.known() is not None)
    assert len(seen.known() or ()) == 1100
    assert [query.get("continue") for _, query in api.asked[:3]] == [None, "500", "1000"]


def test_a_watch_that_breaks_goes_on_where_it_stopped(api: ApiServer, watching) -> None:
    seen = watching()
    _becomes(lambda: seen.known() == {})
    api.put(service("a", "10.0.0.1"))
    _becomes(lambda: _addresses(seen.known()) == {"a": "10.0.0.1"})
    api.cut()
    api.put(service("b", "10.0.0.2"))
    _becomes(lambda: _addresses(seen.known()) == {"a": "10.0.0.1", "b": "10.0.0.2"})
    watched = [query["resourceVersion"] for _, query in api.asked if "watch" in query]
    assert watched == ["100", "101"]


def test_what_was_missed_for_good_is_listed_again(api: ApiServer, watching) -> None:
    api.put(service("a", "10.0.0.1"), service("b", "10.0.0.2"))
    seen = watching()
    _becomes(lambda: _addresses(seen.known()) == {"a": "10.0.0.1", "b": "10.0.0.2"})
    api.stop()
    api.delete(SERVICES, "a")
    api.forget()
    api.start()
    _becomes(lambda: _addresses(seen.known()) == {"b": "10.0.0.2"})


def test_what_is_known_stays_while_the_server_is_away(api: ApiServer, watching, capfd) -> None:
    api.put(service("a", "10.0.0.1"))
    seen = watching()
    _becomes(lambda: seen.known() is not None)
    api.stop()
    time.sleep(1)
    assert _addresses(seen.known()) == {"a": "10.0.0.1"}
    api.put(service("b", "10.0.0.2"))
    api.start()
    _becomes(lambda: _addresses(seen.known()) == {"a": "10.0.0.1", "b": "10.0.0.2"})
    said = capfd.readouterr().out
    troubles = [line.split(" ", 1)[1] for line in said.splitlines() if "ERROR" in line]
    assert 1 <= len(troubles) == len(set(troubles)), "trouble is said once"
    assert "is known again" in said


def test_a_renewed_token_is_taken_from_the_file(api: ApiServer, watching) -> None:
    api.token = "another one"
    seen = watching()
    _becomes(lambda: len(api.asked) > 0)
    assert seen.known() is None
    file = api.kubeconfig()
    file.write_text(file.read_text().replace("the token", "another one"))
    _becomes(lambda: seen.known() == {})


def test_one_object_that_cannot_be_read_ends_no_watch(api: ApiServer, watching, monkeypatch) -> None:
    monkeypatch.setattr(watch, "_STEADY", 0)
    odd = service("odd", "10.0.0.9")
    odd["spec"]["ports"] = 7
    seen = watching()
    _becomes(lambda: seen.known() == {})
    api.put(odd)
    _becomes(lambda: len([query for _, query in api.asked if "watch" not in query]) > 1)
    api.put(service("odd", "10.0.0.1"))
    _becomes(lambda: _addresses(seen.known()) == {"odd": "10.0.0.1"})


def test_pauses_grow_to_a_bound_and_differ_and_begin_anew_after_success() -> None:
    backoff = Backoff(0.2, 5)
    pauses = [backoff.failed() for _ in range(50)]
    assert 0.1 <= pauses[0] <= 0.2
    assert all(2.5 <= pause <= 5 for pause in pauses[6:])
    assert len(set(pauses)) > 40
    backoff.worked()
    assert backoff.failed() <= 0.2
