"""Network settings: which ones are valid, and the errors for invalid ones."""

from __future__ import annotations

from typing import Any

import pytest

from lpad.base.errors import InvalidValue
from lpad.network.network_settings import EMPTY, Authentication, InitialBearer, IpType, NetworkSettings


def test_empty_settings_are_the_networks_default() -> None:
    """Empty settings mean the network's default APN, both IP types and roaming."""
    assert NetworkSettings(apn="", ip=IpType.IPV4V6, roaming=True) == EMPTY
    assert EMPTY.attach_apn == ""


@pytest.mark.parametrize(
    "apn", ["em", "iot.1nce.net", "a_b.c-d", "x" * 100, "super", "m2m.mnc001.mcc901.gprs"]
)
def test_take_apns_of_the_field(apn: str) -> None:
    """An APN may consist of labels of letters, digits, hyphens and underscores."""
    assert NetworkSettings(apn=apn).attach_apn == apn


@pytest.mark.parametrize(
    "apn", ["a b", 'a"b', "a\rAT+CFUN=0", "a\n", ".a", "a.", "a..b", "ä.example", "x" * 101, "-a", "a,b", " "]
)
@pytest.mark.parametrize("field", ["apn", "initial_bearer_apn"])
def test_refuse_what_is_not_an_apn(field: str, apn: str) -> None:
    """An invalid APN is refused, in particular one whose characters could end an AT command."""
    given: dict[str, Any] = {field: apn, "initial_bearer": InitialBearer.APN}
    with pytest.raises(InvalidValue, match="is not an APN"):
        NetworkSettings(**given)


@pytest.mark.parametrize("text", ["x" * 128, "a\x00", "a\nb", "é"])
@pytest.mark.parametrize("field", ["username", "password"])
def test_refuse_credentials_that_no_modem_takes(field: str, text: str) -> None:
    """Credentials that are too long or not printable ASCII are refused, without repeating them."""
    given: dict[str, Any] = {field: text, "authentication": Authentication.PAP}
    with pytest.raises(InvalidValue, match="printable ASCII") as caught:
        NetworkSettings(**given)
    assert text not in caught.value.sentence


def test_refuse_credentials_without_a_way_to_use_them() -> None:
    """Credentials without authentication by PAP or CHAP are refused."""
    with pytest.raises(InvalidValue, match="'pap' or 'chap'"):
        NetworkSettings(username="user", password="pa55")


@pytest.mark.parametrize("mtu", [0, 575, 9001, -1])
def test_bound_the_mtu(mtu: int) -> None:
    """An MTU outside of 576 to 9000 is refused."""
    with pytest.raises(InvalidValue, match="576 to 9000"):
        NetworkSettings(mtu=mtu)


def test_choose_the_apn_of_the_initial_bearer() -> None:
    """The initial bearer gets the connection's APN, an APN of its own, or none, so that it is left."""
    assert NetworkSettings(apn="a").attach_apn == "a"
    assert (
        NetworkSettings(apn="a", initial_bearer=InitialBearer.APN, initial_bearer_apn="b").attach_apn == "b"
    )
    assert NetworkSettings(apn="a", initial_bearer=InitialBearer.LEAVE).attach_apn is None
    with pytest.raises(InvalidValue, match="only if initial_bearer is 'apn'"):
        NetworkSettings(initial_bearer_apn="b")


def test_show_no_password() -> None:
    """The text form of network settings contains no password."""
    settings = NetworkSettings(username="user", password="pa55word", authentication=Authentication.CHAP)
    assert "pa55word" not in repr(settings)
