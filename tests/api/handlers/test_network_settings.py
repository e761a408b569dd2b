"""The network settings of profiles can be set, shown with their source, and cleared over the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from engine.lab import CARD, FIRST, SECOND
from lpad.engine.policy.network_policy import NetworkPolicy
from lpad.network.network_settings import NetworkSettings
from lpad.network.network_settings_choice import Pattern

if TYPE_CHECKING:
    from api.gateway import Gateway

EUICC = f"/v1/euiccs/{CARD}"
PASSWORD = "pa55-over-the-api"
FULL = {
    "apn": "iot.example",
    "username": "user",
    "authentication": "chap",
    "ip": "ipv4",
    "roaming": False,
    "initial_bearer": "apn",
    "initial_bearer_apn": "first.example",
    "mtu": 1400,
}


def network(iccid: str) -> str:
    return f"{EUICC}/profiles/{iccid}/network"


def put(gateway: Gateway, iccid: str, **body: Any) -> dict[str, Any]:
    response = gateway.http.put(network(iccid), json=body)
    assert response.status_code == 200, response.text
    shown: dict[str, Any] = response.json()
    return shown


def test_a_profile_without_settings_has_the_networks_default(gateway: Gateway) -> None:
    """For a profile without settings, the answer shows the defaults, `given_by` `nothing`, and the reason."""
    shown = gateway.get(network(FIRST))
    assert (shown["given_by"], shown["apn"], shown["ip"], shown["roaming"]) == ("nothing", "", "ipv4v6", True)
    assert "default" in shown["why"]


def test_settings_are_set_shown_and_cleared(gateway: Gateway) -> None:
    """The owner's settings count until they are cleared, even if the card does not have the profile yet."""
    shown = put(gateway, FIRST, **FULL, password=PASSWORD)
    assert shown == gateway.get(network(FIRST))
    assert {name: shown[name] for name in FULL} == FULL
    assert (shown["given_by"], shown["iccid"], shown["password_set"]) == ("owner", FIRST, True)
    cleared = gateway.http.delete(network(FIRST))
    assert (cleared.status_code, cleared.json()["given_by"]) == (200, "nothing")


def test_the_password_never_comes_back(gateway: Gateway) -> None:
    """No answer contains the password; an update keeps it unless it empties it or names no authentication."""
    put(gateway, FIRST, **FULL, password=PASSWORD)
    assert PASSWORD not in gateway.http.get(network(FIRST)).text
    assert put(gateway, FIRST, **{**FULL, "apn": "other"})["password_set"] is True
    assert gateway.lab.engine.card(CARD).network(FIRST).settings.password == PASSWORD
    assert put(gateway, FIRST, apn="other")["password_set"] is False
    assert put(gateway, FIRST, **FULL, password="")["password_set"] is False


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"apn": "a b"}, "not an APN"),
        ({"apn": "x" * 101}, "at most 100 characters"),
        ({"mtu": 500}, "at least 576"),
        ({"ip": "ipv9"}, "'ip'"),
        ({"username": "u"}, "'pap' or 'chap'"),
        ({"initial_bearer_apn": "x"}, "initial_bearer"),
        ({"apm": "x"}, "there is no field 'apm'"),
    ],
)
def test_impossible_network_settings_are_refused(gateway: Gateway, body: dict[str, Any], told: str) -> None:
    """If a network setting is impossible, the error names the field, and nothing is stored."""
    response = gateway.http.put(network(FIRST), json=body)
    assert (response.status_code, response.json()["kind"]) == (400, "invalid-value")
    assert told in response.json()["detail"]
    assert gateway.get(network(FIRST))["given_by"] == "nothing"


def test_a_pattern_of_the_settings_applies(gateway: Gateway) -> None:
    """A pattern of the settings file, by ICCID or provider, applies unless the owner has set others."""
    lab = gateway.lab
    patterns = (
        Pattern(iccid=FIRST[:-1], settings=NetworkSettings(apn="by-prefix")),
        Pattern(provider="LPAD simulator", settings=NetworkSettings(apn="by-provider")),
    )
    lab.engine.become([replace(lab.port, network=NetworkPolicy(patterns=patterns))])
    lab.install(iccid=SECOND)
    assert gateway.get(network(FIRST))["apn"] == "by-prefix"
    assert gateway.get(network(SECOND))["apn"] == "by-provider"
    assert put(gateway, SECOND, apn="mine")["given_by"] == "owner"


def test_settings_come_with_the_download(gateway: Gateway) -> None:
    """The order's settings are stored before the profile is first enabled; the change hides the password."""
    body = {
        "activation_code": gateway.lab.code(gateway.lab.order()),
        "network": {**FULL, "password": PASSWORD},
    }
    response = gateway.http.post(f"{EUICC}/downloads?wait=30", json=body)
    change = response.json()
    assert change["state"] == "done", change
    assert change["params"]["network"]["apn"] == "iot.example"
    assert PASSWORD not in response.text
    shown = gateway.get(network(FIRST))
    assert (shown["given_by"], shown["apn"], shown["password_set"]) == ("order", "iot.example", True)
    assert gateway.lab.engine.card(CARD).network(FIRST).settings.password == PASSWORD
    put(gateway, FIRST, apn="mine")
    assert gateway.http.delete(network(FIRST)).json()["given_by"] == "order"


def test_a_download_with_wrong_settings_is_refused(gateway: Gateway) -> None:
    """A download with impossible network settings is refused before anything is downloaded."""
    body = {"activation_code": gateway.lab.code(gateway.lab.order()), "network": {"apn": "a b"}}
    response = gateway.http.post(f"{EUICC}/downloads", json=body)
    assert (response.status_code, response.json()["kind"]) == (400, "invalid-value")


def test_deleting_the_profile_deletes_its_settings(gateway: Gateway) -> None:
    """The owner's settings are deleted with the profile, whether by a deletion or by a reset."""
    lab = gateway.lab
    lab.install()
    lab.install(iccid=SECOND)
    put(gateway, FIRST, apn="mine")
    put(gateway, SECOND, apn="stays")
    change = gateway.http.delete(f"{EUICC}/profiles/{FIRST}?wait=30").json()
    assert change["state"] == "done", change
    assert gateway.get(network(FIRST))["given_by"] == "nothing"
    assert gateway.get(network(SECOND))["apn"] == "stays"
    change = gateway.http.post(f"{EUICC}/reset?wait=30", json={"operational_profiles": True}).json()
    assert change["state"] == "done", change
    assert gateway.get(network(SECOND))["given_by"] == "nothing"


def test_an_aid_names_the_profile_too(gateway: Gateway) -> None:
    """Settings for a profile named by AID are stored under its ICCID; a missing profile's AID is refused."""
    gateway.lab.install()
    aid = gateway.get(f"{EUICC}/profiles/{FIRST}")["isdp_aid"]
    assert put(gateway, aid, apn="by-aid")["iccid"] == FIRST
    response = gateway.http.get(network("A0000005591010FFFFFFFF8900001999"))
    assert (response.status_code, response.json()["kind"]) == (409, "conflict")
