"""The data types of a download: its order, the offer to decide on, its listener and its result."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, ClassVar, Protocol

from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from lpad.base.activation_code import ActivationCode
    from lpad.base.identifiers import Aid, Iccid
    from lpad.base.server_address import ServerAddress
    from lpad.codec.messages.metadata import OperatorId
    from lpad.protocol.download_state_table import Step


class Decision(Enum):
    """The caller's answer to an offered profile.

    Any answer other than ACCEPT ends the download with the error Declined.
    """

    ACCEPT = "accept"
    REJECT = "reject"  # the caller does not want the profile: the server closes the order
    POSTPONE = "postpone"  # the caller does not want the profile now: the order remains open
    TIMEOUT = "timeout"  # no answer came: the order remains open


class Order(Frozen):
    """The order to download: its identification at the server, and its confirmation code."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"matching_id", "confirmation_code"})
    matching_id: str = ""
    """The matching ID in the activation code; empty if the server finds the order by the EID."""
    smdp_oid: str | None = None
    """Dotted OID that the server's certificate must contain; None if the activation code contains none."""
    confirmation_code_expected: bool = False
    """Whether the activation code announces that a confirmation code is needed."""
    confirmation_code: str | None = None
    """The confirmation code from the operator, if the caller already knows it."""

    @classmethod
    def from_activation_code(cls, code: ActivationCode, *, confirmation_code: str | None = None) -> Order:
        """Return the order that an activation code names; the code's address is for `Es9Plus`."""
        return cls(
            matching_id=code.matching_id,
            smdp_oid=code.smdp_oid,
            confirmation_code_expected=code.confirmation_code_required,
            confirmation_code=confirmation_code,
        )


class Offer(Frozen):
    """The profile that the server offers, for the caller to decide on."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"raw"})
    iccid: Iccid
    service_provider_name: str
    profile_name: str
    profile_class: str
    """`test`, `provisioning` or `operational`; `unknown` for classes of later versions."""
    owner: OperatorId | None
    icon: bytes | None
    """A JPEG or PNG image of 64 by 64 pixels; None: the profile has no icon."""
    policy_rules: tuple[str, ...]
    """All policy rules of the profile: `ppr1` (cannot be disabled), `ppr2` (cannot be deleted). The card's
    rules authorisation table permits all of them."""
    rules_needing_consent: tuple[str, ...]
    """The rules for which the card requires the owner's explicit consent. A program may accept the offer
    without the owner only if there are no such rules."""
    confirmation_code_required: bool
    raw: bytes
    """The metadata as received: BF25."""


class Installed(Frozen):
    """A profile that the card reports as installed; it is disabled."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"result"})
    iccid: Iccid
    isdp_aid: Aid | None
    """The AID of the profile's ISD-P; None if the card does not report it."""
    server: ServerAddress
    sequence_number: int
    """The number of the installation's notification, which waits on the card until it is delivered and
    removed."""
    notification_address: str
    """The address as the card reports it; spaces and case unchanged."""
    result: bytes
    """The ProfileInstallationResult as the card signed it: BF37."""
    eid: str | None
    """The intended card's EID if the card's certificate names it, which spares a query; else None."""


class DownloadListener(Protocol):
    """The methods through which a download informs and asks its caller, in the thread of the download.

    `step` and `bytes_loaded` may raise Cancelled: the download then cancels the session on card and server
    and raises the error again. While segments are being sent, a cancellation takes effect only
    between two segments.
    """

    def step(self, step: Step) -> None:
        """Receive the next step; it begins only after this method returns, so that it can be journalled.

        The irreversible step is Step.LOAD_BOUND_PROFILE_PACKAGE. A Cancelled raised at
        Step.CANCEL_SESSION is ignored: the download is already being cancelled.
        """

    def owes_cancellation(self, transaction_id: str, response: bytes) -> None:
        """Accept a cancellation that the card has signed and that the server must still receive.

        Args:
            transaction_id: the transaction ID as the server wrote it.
            response: the card's CancelSessionResponse (BF41), for ES9+.CancelSession.
        """

    def bytes_loaded(self, sent: int, total: int) -> None:
        """Receive the number of bytes that the card has accepted, and the number of the package's bytes."""

    def confirm(self, offer: Offer) -> Decision:
        """Decide on the offered profile; the time for the decision does not count against the deadline."""

    def confirmation_code(self, *, refused: bool) -> str | None:
        """Return the confirmation code, or None to end with ConfirmationCodeRequired.

        Args:
            refused: whether the previous code was wrong. The server counts the attempts, so do not return
                the same code again.
        """
