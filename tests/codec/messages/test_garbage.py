"""Whatever a card or server sends, a decoder gives a message or a MalformedError."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codec.rsp_values import values_of
from lpad.base.errors import MalformedError
from lpad.codec.asn1 import der
from lpad.codec.messages import (
    authentication,
    cancel_session,
    configured_addresses,
    euicc_info,
    get_eid,
    installation_result,
    memory_reset,
    metadata,
    notifications,
    prepare_download,
    profiles,
    rules_authorisation_table,
)

if TYPE_CHECKING:
    from collections.abc import Callable

DECODERS: list[tuple[str, Callable[[bytes], Any]]] = [
    ("EuiccConfiguredAddressesResponse", configured_addresses.ConfiguredAddresses.decode),
    ("SetDefaultDpAddressResponse", configured_addresses.SetDefaultDpAddressResult.decode),
    ("EUICCInfo1", euicc_info.EuiccInfo1.decode),
    ("EUICCInfo2", euicc_info.EuiccInfo2.decode),
    ("GetEuiccChallengeResponse", euicc_info.decode_euicc_challenge),
    ("GetRatResponse", rules_authorisation_table.decode_rat),
    ("ServerSigned1", authentication.ServerSigned1.decode),
    ("AuthenticateServerResponse", authentication.AuthenticateServerResponse.decode),
    ("SmdpSigned2", prepare_download.SmdpSigned2.decode),
    ("PrepareDownloadResponse", prepare_download.PrepareDownloadResponse.decode),
    ("CancelSessionResponse", cancel_session.CancelSessionResponse.decode),
    ("ProfileInstallationResult", installation_result.ProfileInstallationResult.decode),
    ("StoreMetadataRequest", metadata.ProfileMetadata.decode),
    ("ListNotificationResponse", notifications.ListNotificationResponse.decode),
    ("RetrieveNotificationsListResponse", notifications.RetrieveNotificationsListResponse.decode),
    ("PendingNotification", notifications.PendingNotification.decode),
    ("NotificationSentResponse", notifications.NotificationSentResult.decode),
    ("ProfileInfoListResponse", profiles.ProfileInfoListResponse.decode),
    ("EnableProfileResponse", profiles.EnableProfileResult.decode),
    ("GetEuiccDataResponse", get_eid.decode_eid),
    ("EuiccMemoryResetResponse", memory_reset.EuiccMemoryResetResult.decode),
]


@pytest.mark.parametrize(("type_name", "decode"), DECODERS, ids=[name for name, _ in DECODERS])
def test_whole_and_damaged(type_name: str, decode: Callable[[bytes], Any]) -> None:
    """Neither arbitrary values of the right type, nor damaged ones, raise any error but MalformedError."""

    @settings(max_examples=50, suppress_health_check=list(HealthCheck), deadline=None)
    @given(values_of(type_name), st.integers(0), st.integers(0, 255), st.binary(max_size=30))
    def never_anything_else(value: Any, position: int, byte: int, garbage: bytes) -> None:
        raw = der.encode(type_name, value)
        damaged = bytearray(raw)
        damaged[position % len(raw)] = byte
        for data in (raw, bytes(damaged), raw[: position % len(raw)], raw + garbage, garbage):
            try:
                decode(data)
            except MalformedError:
                continue

    never_anything_else()
