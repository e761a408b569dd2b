"""The sentences for a card's refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.codec import es10_intents
from lpad.codec.es10_intents import Intent
from lpad.codec.messages.authentication import AuthenticateError
from lpad.codec.messages.cancel_session import CancelSessionError
from lpad.codec.messages.installation_result import InstallationError
from lpad.codec.messages.memory_reset import EuiccMemoryResetResult
from lpad.codec.messages.notifications import NotificationSentResult
from lpad.codec.messages.prepare_download import DownloadError
from lpad.codec.messages.profiles import (
    DeleteProfileResult,
    DisableProfileResult,
    EnableProfileResult,
    ProfileInfoListError,
    SetNicknameResult,
)
from lpad.lpa.card_refusal import refused

if TYPE_CHECKING:
    from lpad.codec.messages.result_code import ResultCode

FAMILIES = [
    AuthenticateError,
    CancelSessionError,
    DeleteProfileResult,
    DisableProfileResult,
    DownloadError,
    EnableProfileResult,
    EuiccMemoryResetResult,
    InstallationError,
    NotificationSentResult,
    ProfileInfoListError,
    SetNicknameResult,
]
LATER = range(17, 33)  # These are reasons of SGP.22 version 3, which have only a name.


@pytest.mark.parametrize(
    "code",
    [code for family in FAMILIES for code in family if code not in LATER and code.reason != "ok"],
    ids=repr,
)
def test_every_reason_has_its_sentence(code: ResultCode) -> None:
    """Each refusal reason of SGP.22 version 2 has its own explanation, not the one for unknown reasons."""
    assert "only later or other specifications" not in refused(Intent("ES10"), code).sentence


def test_a_reason_of_a_later_version_is_named() -> None:
    """For a refusal reason of a later version, the error contains the reason's name and number."""
    error = refused(es10_intents.LOAD_BOUND_PROFILE_PACKAGE, InstallationError.LPR_NOT_SUPPORTED)
    assert "(lprNotSupported, 23)" in error.sentence
    assert error.kind == "card-refused"
