"""Who gets which host name, and how HAProxy's map follows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dev.front_door.objects import endpoints_of, ingress_of, key_of, service_of
from dev.front_door.routes import Routes, routes
from dev.front_door.table import CLOSED, Table, commands, shown, table_in, text
from tests.fakes.api_server import Object, endpoints, ingress, service


def _routes(*objects: Object) -> Routes:
    ingresses = {
        key_of(one): found
        for one in objects
        if "ingressClassName" in one.get("spec", {}) and (found := ingress_of(one))
    }
    services = {key_of(one): service_of(one) for one in objects if "clusterIP" in one.get("spec", {})}
    slices = {key_of(one): endpoints_of(one) for one in objects if "endpoints" in one}
    return routes(ingresses, services, slices)


class TestRoutes:
    def test_a_host_name_leads_to_its_services_address_and_port(self):
        found = _routes(ingress("a", "a.localhost"), service("a", "10.96.0.7", 80))
        assert found == Routes({"a.localhost": "10.96.0.7/80"}, frozenset())

    def test_each_rule_of_an_ingress_is_a_host_name(self):
        one = ingress("a", "a.localhost")
        one["spec"]["rules"] += ingress("a", "former.localhost")["spec"]["rules"]
        found = _routes(one, service("a", "10.96.0.7"))
        assert found == Routes(
            {"a.localhost": "10.96.0.7/80", "former.localhost": "10.96.0.7/80"}, frozenset()
        )

    def test_a_store_with_nobody_ready_is_known_and_closed(self):
        one, behind = ingress("a", "a.localhost"), service("a", "10.96.0.7")
        other = endpoints("a", namespace="others")
        for slices, value in (
            ([other], "10.96.0.7/80"),
            ([endpoints("a")], CLOSED),
            ([endpoints("a", False, False)], CLOSED),
            ([endpoints("a", False, True)], "10.96.0.7/80"),
        ):
            assert _routes(one, behind, *slices).table == {"a.localhost": value}

    def test_of_two_slices_one_with_somebody_ready_is_enough(self):
        second = endpoints("a", True)
        second["metadata"]["name"] = "a-second"
        found = _routes(ingress("a", "a.localhost"), service("a", "10.96.0.7"), endpoints("a"), second)
        assert found.table == {"a.localhost": "10.96.0.7/80"}

    def test_a_port_may_be_named_by_its_number(self):
        one = ingress("a", "a.localhost", port={"number": 8080})
        assert _routes(one, service("a", "10.96.0.7", 8080)).table == {"a.localhost": "10.96.0.7/8080"}

    def test_an_address_may_have_colons(self):
        found = _routes(ingress("a", "a.localhost"), service("a", "fd00::7"))
        assert found.table == {"a.localhost": "fd00::7/80"}

    def test_host_names_are_known_in_lower_case(self):
        assert _routes(ingress("a", "A.LocalHost"), service("a", "10.96.0.7")).table.keys() == {"a.localhost"}

    def test_without_its_service_a_store_is_known_and_closed(self):
        assert _routes(ingress("a", "a.localhost")).table == {"a.localhost": CLOSED}

    def test_a_service_of_another_namespace_is_not_its_own(self):
        other = service("a", "10.96.0.7", namespace="others")
        assert _routes(ingress("a", "a.localhost"), other).table == {"a.localhost": CLOSED}

    def test_a_service_without_that_port_or_an_address_is_closed(self):
        one = ingress("a", "a.localhost", port={"name": "https"})
        assert _routes(one, service("a", "10.96.0.7")).table == {"a.localhost": CLOSED}
        for address in ("None", "", "localhost"):
            assert _routes(ingress("a", "a.localhost"), service("a", address)).table == {
                "a.localhost": CLOSED
            }

    def test_another_doors_ingress_is_not_ours(self):
        for kind in ("nginx", None):
            assert _routes(ingress("a", "a.localhost", kind=kind), service("a", "10.96.0.7")).table == {}

    def test_only_whole_host_names_are_stores(self):
        assert _routes(ingress("a", "a.localhost", path="/blog"), service("a", "10.96.0.7")).table == {}
        assert _routes(ingress("a", ""), service("a", "10.96.0.7")).table == {}

    def test_of_two_that_want_a_name_the_older_has_it_and_the_other_is_named(self):
        found = _routes(
            ingress("a", "x.localhost", namespace="late", created="2026-02-01T00:00:00Z"),
            ingress("b", "X.localhost", namespace="soon", created="2026-01-31T23:59:59Z"),
            service("a", "10.96.0.1", namespace="late"),
            service("b", "10.96.0.2", namespace="soon"),
        )
        assert found.table == {"x.localhost": "10.96.0.2/80"}
        complaint = "Ingress late/a asks for x.localhost, which Ingress soon/b had first"
        assert found.complaints == {complaint}

    def test_of_two_of_the_same_second_the_first_by_namespace_and_name_has_it(self):
        services = [service(name, f"10.96.0.{number}") for number, name in enumerate("ba", start=1)]
        found = _routes(ingress("b", "x.localhost"), ingress("a", "x.localhost"), *services)
        assert found.table == {"x.localhost": "10.96.0.2/80"}

    def test_what_is_no_plain_host_name_comes_nowhere_near_haproxy(self):
        for host in (
            "*.localhost",
            "a b",
            "a;shutdown",
            "a\nb 1.1.1.1/1",
            "-a",
            "a.",
            "a" * 254,
            "é.localhost",
        ):
            found = _routes(ingress("a", host), service("a", "10.96.0.7"))
            assert found.table == {}, host
            assert len(found.complaints) == 1


TABLES = st.dictionaries(
    st.sampled_from([f"shop-{number}.localhost" for number in range(6)]),  # few, so that tables share some
    st.sampled_from([CLOSED, "10.96.0.1/80", "10.96.0.2/80", "fd00::1/8080"]),
)


class TestTable:
    @given(TABLES, TABLES)
    def test_the_commands_lead_from_any_table_to_any_other(self, now: Table, wanted: Table):
        reached = dict(now)
        for command in commands("m", now, wanted):
            verb, noun, name, host, *value = command.split(" ")
            assert (noun, name) == ("map", "m")
            # HAProxy would keep two entries of one name, and refuses to set what is not there.
            assert (host in reached) == (verb != "add")
            if verb == "del":
                del reached[host]
            else:
                (reached[host],) = value
        assert reached == wanted

    def test_nothing_changed_takes_no_command(self):
        assert list(commands("m", {"a": CLOSED}, {"a": CLOSED})) == []

    @given(TABLES)
    def test_the_file_is_read_back_as_written(self, table: Table):
        assert table_in(text(table)) == table

    def test_mangled_lines_of_the_file_are_left_out(self):
        assert table_in("a.localhost 10.0.0.1/80\n\0\0\0\nb.localhost 10.0.\nc.localhost closed\nd") == {
            "a.localhost": "10.0.0.1/80",
            "c.localhost": CLOSED,
        }

    def test_what_haproxy_shows_is_understood(self):
        assert shown("0x55d0 a.localhost 10.0.0.1/80\n0x55d1 b.localhost closed\n\n") == {
            "a.localhost": "10.0.0.1/80",
            "b.localhost": CLOSED,
        }
