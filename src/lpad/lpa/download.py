"""One profile download, from EUICCInfo1 to the ProfileInstallationResult (SGP.22 v2.5, 3.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from lpad.activation_code import ActivationCode
    from lpad.codec.messages.authentication import DeviceInfo
    from lpad.deadline import Deadline
    from lpad.identifiers import Aid, Iccid
    from lpad.lpa.euicc import Euicc
    from lpad.protocol.download_session import Step
    from lpad.remote.es9plus import Es9Plus
    from lpad.server_address import ServerAddress


class Decision(Enum):
    """The caller's answer to an offered profile; all but ACCEPT end the download as Declined."""

    ACCEPT = "accept"
    REJECT = "reject"  # never wanted: the server closes the order
    POSTPONE = "postpone"  # not now: the order stays open
    TIMEOUT = "timeout"  # nobody answered: the order stays open


@dataclass(frozen=True, slots=True)
class Order:
    """What to download: where it waits and how it is named there."""

    matching_id: str = field(default="", repr=False)
    """From the activation code; empty where the server finds the order by the EID."""
    smdp_oid: str | None = None
    """Dotted OID that the server's certificate must carry, where the activation code names one."""
    confirmation_code_expected: bool = False
    """The activation code says that a confirmation code will be asked for."""
    confirmation_code: str | None = field(default=None, repr=False)
    """As the operator gave it, where it is known beforehand."""

    @classmethod
    def from_activation_code(cls, code: ActivationCode, *, confirmation_code: str | None = None) -> Order:
        """Return the order that an activation code names; its address goes to `Es9Plus`."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Offer:
    """The profile that the server offers, for the caller to accept or refuse."""

    iccid: Iccid
    service_provider_name: str
    profile_name: str
    profile_class: str
    """`test`, `provisioning` or `operational`."""
    icon: bytes | None
    """JPEG or PNG, 64 by 64."""
    policy_rules: tuple[str, ...]
    """`ppr1` (can't be disabled), `ppr2` (can't be deleted): all that the profile carries, all permitted
    by the card's rules authorisation table."""
    rules_needing_consent: tuple[str, ...]
    """Those for which the card demands the owner's explicit consent: accept on nobody's behalf only
    where this is empty."""
    confirmation_code_required: bool
    raw: bytes = field(repr=False)
    """The metadata as received: BF25."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A profile that the card reports as installed, disabled."""

    iccid: Iccid
    isdp_aid: Aid
    server: ServerAddress
    sequence_number: int
    """Of the installation's notification, which waits on the card until it is delivered and removed."""
    notification_address: str
    """As the card gives it; blanks and case as they come."""
    result: bytes = field(repr=False)
    """The ProfileInstallationResult as the card signed it: BF37."""


class DownloadListener(Protocol):
    """What a download tells, and asks, its caller; called in the thread that runs it.

    `step` and `bytes_loaded` may raise Cancelled: the download then leaves card and server in order and
    raises it on. Once segments flow it takes effect between two of them, never inside one.
    """

    def step(self, step: Step) -> None:
        """Learn what is about to be done; returns before it is begun, so that it can be journalled.

        The irreversible one is Step.LOAD_BOUND_PROFILE_PACKAGE. A Cancelled raised at
        Step.CANCEL_SESSION is passed over: the download is being taken back anyway.
        """

    def bytes_loaded(self, sent: int, total: int) -> None:
        """Learn how many of the package's bytes the card has taken."""

    def confirm(self, offer: Offer) -> Decision:
        """Decide on the offered profile; the time that it takes does not count against the deadline."""

    def confirmation_code(self, *, refused: bool) -> str | None:
        """Return the confirmation code, or None to end with ConfirmationCodeRequired.

        Args:
            refused: whether the code given before was wrong. The server counts the attempts, so the same
                code is not tried twice.
        """


class Download:
    """One download; make another one for another attempt."""

    def __init__(
        self, euicc: Euicc, server: Es9Plus, order: Order, *, device: DeviceInfo, listener: DownloadListener
    ) -> None:
        """Bring together what takes part.

        Args:
            euicc: an open ISD-R; stays open.
            server: the SM-DP+ at the order's address; stays open, so that the notification can go over
                the same connection.
            order: what to download.
            device: TAC, IMEI and capabilities of the device, told to the card and the server.
            listener: is told of each step and asked for decisions.
        """

    def run(self, *, deadline: Deadline) -> Installed:
        """Download and install the profile.

        Whatever goes wrong after AuthenticateServer, both CancelSession calls are made before the error is
        raised; what they meet is logged and never hides the first error.

        Raises:
            Declined: the caller refused, or a policy rule is forbidden.
            ConfirmationCodeRequired: none was given.
            Cancelled: raised by the listener.
            CardRefused: an ES10b function's error code; `function` is ES10b.LoadBoundProfilePackage and
                `command` the BPP command's name where the ProfileInstallationResult reports a failure.
            CardError: another failure of the card.
            ServerError: a failure of the server.
        """
        raise NotImplementedError
