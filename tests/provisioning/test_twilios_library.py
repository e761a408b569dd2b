"""Twilio's own Python library as a client of the simulated platform."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from lpad.provisioning.platform_interface import Line, Stage
from lpad.simulator.platform.faults import PlatformFault
from lpad.simulator.platform.reservations import Pace
from lpad.simulator.platform.super_sim import ACCOUNT, AUTH_TOKEN, FLEET
from provisioning.bench import EID, OTHER_EID, WISH, soon
from provisioning.platform_adapter import session_for

if TYPE_CHECKING:
    from lpad.simulator.platform.server import SimulatedPlatform
    from provisioning.bench import Bench


@pytest.fixture
def server(bench: Bench) -> SimulatedPlatform:
    """A simulated platform like Twilio."""
    return bench.platform("twilio", pace=Pace(profile=3))


@pytest.fixture
def client(bench: Bench, server: SimulatedPlatform) -> Client:
    """Twilio's client, connected to the simulated platform."""
    http = TwilioHttpClient()
    http.session = session_for(server, bench.ca)
    return Client(ACCOUNT, AUTH_TOKEN, http_client=http)


def test_twilios_library_orders_lists_and_updates(
    bench: Bench, server: SimulatedPlatform, client: Client
) -> None:
    """Lpad finds the profile that Twilio's library has ordered, polled and activated."""
    supersim = client.supersim.v1
    ordered = supersim.esim_profiles.create(eid=EID)
    assert (ordered.status, ordered.eid, ordered.iccid) == ("new", EID, None)
    states = [ordered.status]
    while states[-1] != "available":
        seen = supersim.esim_profiles(ordered.sid).fetch()
        states.append(seen.status)
    assert list(dict.fromkeys(states)) == ["new", "reserving", "available"]
    assert [each.sid for each in supersim.esim_profiles.list(eid=EID, status="available")] == [ordered.sid]
    assert supersim.esim_profiles.list(eid=OTHER_EID) == []
    sim = supersim.sims(seen.sim_sid).update(fleet=FLEET, status="active")
    assert (sim.sid, sim.fleet_sid, sim.status) == (seen.sim_sid, FLEET, "scheduled")
    assert supersim.sims(seen.sim_sid).fetch().status == "active"
    assert [each.iccid for each in supersim.sims.list(iccid=seen.iccid, status="active")] == [seen.iccid]
    platform = bench.opened(server)
    (found,) = platform.find(WISH, deadline=soon())
    found = platform.look(found, deadline=soon())
    assert (found.id, found.profile, found.line) == (ordered.sid, Stage.AVAILABLE, Line.LIVE)


def test_twilios_library_reads_all_pages(server: SimulatedPlatform, client: Client) -> None:
    """Twilio's library follows the pages of the simulated platform to their end."""
    for _ in range(23):
        server.stock.order(eid=EID)
    found = client.supersim.v1.esim_profiles.list(eid=EID, page_size=5)
    assert len({each.sid for each in found}) == 23


def test_a_profile_with_a_matching_id(client: Client) -> None:
    """With a generated matching ID, Twilio's library gets the profile's activation code."""
    profiles = client.supersim.v1.esim_profiles
    seen = profiles.create(generate_matching_id=True)
    while seen.status != "available":
        seen = profiles(seen.sid).fetch()
    assert seen.activation_code == f"1${seen.smdp_plus_address.upper()}${seen.matching_id}"


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [(PlatformFault.NO_STOCK, 400, 83500), (PlatformFault.TOKEN_EXPIRED, 401, 20003)],
)
def test_refusals_are_errors_of_twilios_library(
    server: SimulatedPlatform, client: Client, fault: PlatformFault, status: int, code: int
) -> None:
    """A refusal is an error of Twilio's library, with status and code."""
    server.faults.add(fault, call="order")
    with pytest.raises(TwilioRestException) as caught:
        client.supersim.v1.esim_profiles.create(eid=EID)
    assert (caught.value.status, caught.value.code) == (status, code)
