"""The details of errors of servers, both SM-DP+ and operators' platforms."""

from __future__ import annotations

from lpad.base.error_details.request_and_switch import Details


class UnreachedDetails(Details, total=False):
    """The HTTP status of another host's answer, or the cause of the failure, such as `no-interface`."""

    cause: str
    http_status: int


class UntrustedDetails(Details, total=False):
    """A cause from the list in docs/security.md, and whether it is `certain` even if the clock is wrong."""

    cause: str
    certain: bool


class SmdpDetails(Details, total=False):
    """The function that the SM-DP+ refused, and the server's answer.

    `subject_code` and `reason_code`: see SGP.22, 5.2.6. `message`: the server's text. `remedy`: a possible
    remedy, such as `confirmation-code`.
    """

    function: str
    message: str
    reason_code: str
    remedy: str
    subject_code: str


class PlatformDetails(Details, total=False):
    """The platform by its name in the settings, and the HTTP status of its answer."""

    http_status: int
    platform: str


class RefusalDetails(PlatformDetails, total=False):
    """A cause from the list in docs/provisioning.md, and the platform's error `code` and text (`words`)."""

    cause: str
    code: str
    words: str


class BusyDetails(PlatformDetails, total=False):
    """The seconds after which the platform accepts another request."""

    retry_after: int
