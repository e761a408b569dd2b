"""The identity of the card, and the capabilities that it reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.base.identifiers import Eid

if TYPE_CHECKING:
    from hil.place.place import Place


def test_eid(place: Place) -> None:
    """The EID is the one in the bench file, and its check digits are correct."""
    eid = place.until_ready().eid
    assert eid == place.eid
    assert Eid.parse(eid).digits == eid
    assert int(eid) % 97 == 1, "ISO/IEC 7064, MOD 97-10"


def test_capabilities(place: Place) -> None:
    """EUICCInfo2 is complete: version, memory, and the CIs for verification and for signing."""
    info = place.until_ready().info
    assert info is not None
    assert info.svn is not None
    assert info.svn.startswith(("2.", "3."))
    assert info.ci_ids_for_verification
    assert info.ci_ids_for_signing
    assert info.memory.free_non_volatile is not None


@pytest.mark.needs("test-ci")
def test_names_a_test_ci(place: Place) -> None:
    """The card lists at least one CI."""
    info = place.until_ready().info
    assert info is not None
    assert info.certificate_issuers


@pytest.mark.needs("modem")
def test_modem(place: Place) -> None:
    """The modem reports a well-formed IMEI."""
    imei = place.client.euicc(place.name).imei
    assert imei is not None
    assert len(imei) == 15
    assert imei.isdecimal()


@pytest.mark.needs("mbim")
def test_mbim(place: Place) -> None:
    """The card is reached through the modem's MBIM port."""
    assert place.report["link"] == "mbim"


@pytest.mark.needs("qmi")
def test_qmi(place: Place) -> None:
    """The card is reached through the modem's QMI port."""
    assert place.report["link"] == "qmi"


@pytest.mark.needs("cgla")
def test_cgla(place: Place) -> None:
    """The link that lpad has found uses a logical channel that the modem manages."""
    assert place.report["link"] == "cgla"


@pytest.mark.needs("pcsc", "reader")
def test_reader(place: Place) -> None:
    """The card is reached through PC/SC."""
    assert place.client.euicc(place.name).transport.startswith("card in the reader")
