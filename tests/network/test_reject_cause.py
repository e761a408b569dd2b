"""The network's causes."""

from __future__ import annotations

import pytest

from lpad.network.reject_cause import Cause, Procedure


@pytest.mark.parametrize("code", [27, 29, 33, 50, 51])
@pytest.mark.parametrize("procedure", [Procedure.ESM, Procedure.FIVE_GSM])
def test_some_causes_mean_wrong_settings(procedure: Procedure, code: int) -> None:
    """An unknown APN, a refused password and a refused IP type do not mean that the profile is dead."""
    assert Cause(procedure, code).wrong_settings
    assert Cause(procedure, code).wrong_ip_type is (code in (50, 51))


@pytest.mark.parametrize(
    "cause", [Cause(Procedure.EMM, 27), Cause(Procedure.ESM, 26), Cause(Procedure.FIVE_GMM, 27)]
)
def test_other_causes_do_not_mean_wrong_settings(cause: Cause) -> None:
    """Other causes do not mean wrong settings, not even the same number in another procedure."""
    assert not cause.wrong_settings


def test_a_cause_has_procedure_number_and_words() -> None:
    """A cause is described by procedure, number and the standard's words, even for an unknown cause."""
    assert str(Cause(Procedure.ESM, 27)) == "ESM cause 27, missing or unknown APN"
    assert str(Cause(Procedure.EMM, 11)) == "EMM cause 11, PLMN not allowed"
    assert str(Cause(Procedure.FIVE_GMM, 200)) == "5GMM cause 200, unknown"
