"""The causes with which a network rejects an attach or a session."""

from __future__ import annotations

import pytest

from lpad.network.reject_cause import Cause, Procedure


@pytest.mark.parametrize("code", [27, 29, 33, 50, 51])
@pytest.mark.parametrize("procedure", [Procedure.ESM, Procedure.FIVE_GSM])
def test_some_causes_mean_wrong_settings(procedure: Procedure, code: int) -> None:
    """The causes for an APN, a password or an IP type mean wrong settings, as ESM and as 5GSM causes."""
    assert Cause(procedure, code).wrong_settings
    assert Cause(procedure, code).wrong_ip_type is (code in (50, 51))


@pytest.mark.parametrize(
    "cause", [Cause(Procedure.EMM, 27), Cause(Procedure.ESM, 26), Cause(Procedure.FIVE_GMM, 27)]
)
def test_other_causes_do_not_mean_wrong_settings(cause: Cause) -> None:
    """Other causes, even with the same number in another procedure, do not mean wrong settings."""
    assert not cause.wrong_settings


def test_a_cause_has_procedure_number_and_words() -> None:
    """The text form of a cause has the procedure, the number, and the standard's words or "unknown"."""
    assert str(Cause(Procedure.ESM, 27)) == "ESM cause 27, missing or unknown APN"
    assert str(Cause(Procedure.EMM, 11)) == "EMM cause 11, PLMN not allowed"
    assert str(Cause(Procedure.FIVE_GMM, 200)) == "5GMM cause 200, unknown"
