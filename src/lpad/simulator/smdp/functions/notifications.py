"""ES9+.HandleNotification (SGP.22 v2.5, 5.6.4): notifications of cards, verified and stored."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError
from lpad.base.identifiers import Iccid
from lpad.simulator.pki.credential import signed_by
from lpad.simulator.smdp.functions import status_codes
from lpad.simulator.smdp.functions.notification_signing_card import Signer, signer_of_other, signer_of_result
from lpad.simulator.smdp.functions.status_codes import Refusal
from lpad.simulator.smdp.store.order import OrderState
from lpad.simulator.smdp.store.profile_metadata import Event, bits_of
from lpad.simulator.smdp.store.received_notifications import Notification

if TYPE_CHECKING:
    from lpad.codec.asn1.tlv import Tlv
    from lpad.simulator.smdp.functions.function_call import Call
    from lpad.simulator.smdp.functions.server_context import ServerContext

_INSTALLATION_RESULT = 0xBF37
_OTHER = 0x30
_METADATA = 0xBF2F
_TEMPORARY = frozenset({10, 11})
"""errorReasons after which another attempt may succeed: memory full, interrupted (SGP.22 v3.1, 2.5.6.1)."""


def handle_notification(site: ServerContext, call: Call) -> None:
    """Verify a notification, store it, and update its order.

    Whatever the result of the verification, the card's copy can be removed: the caller answers 204, even to
    duplicates and unknown transactions.

    Raises:
        Refusal: the notification is unreadable (1.6/2.1).
    """
    element = call.element("pendingNotification", _INSTALLATION_RESULT, _OTHER)
    digest = hashlib.sha256(element.raw).hexdigest()
    duplicate = any(known.digest == digest for known in site.notifications.all())
    try:
        notification = _read(site, element, digest=digest, duplicate=duplicate)
    except MalformedError as error:
        raise Refusal(status_codes.INVALID_REQUEST, subject_identifier="pendingNotification") from error
    site.notifications.add(notification)
    if notification.verified and not duplicate and notification.transaction_id is not None:
        _settle(site, notification, notification.transaction_id)


def _read(site: ServerContext, element: Tlv, *, digest: str, duplicate: bool) -> Notification:
    transaction_id = installed = error_reason = None
    signer: Signer | None
    if element.tag == _INSTALLATION_RESULT:
        signed = element.get(0xBF27)
        transaction_id = signed.get(0x80).value
        metadata = signed.get(_METADATA)
        installed, error_reason = _outcome(signed.get(0xA2))
        signer = signer_of_result(site, transaction_id)
    else:
        signed = metadata = element.get(_METADATA)
        signer = signer_of_other(site, element)
    verified = signer is not None and signed_by(signer.key, element.get(0x5F37).value, signed.raw)
    return Notification(
        received=datetime.now(UTC),
        kind="other" if transaction_id is None else "installation-result",
        event=_event(metadata.get(0x81).value),
        sequence_number=int.from_bytes(metadata.get(0x80).value, "big", signed=True),
        address=metadata.get(0x0C).value.decode("utf-8", "replace"),
        iccid=_iccid(metadata),
        verified=verified,
        eid=signer.eid if signer is not None and verified else None,
        transaction_id=transaction_id.hex() if transaction_id is not None else None,
        installed=installed,
        error_reason=error_reason,
        duplicate=duplicate,
        digest=digest,
    )


def _outcome(final: Tlv) -> tuple[bool, int | None]:
    """Return whether the profile is installed, and the errorReason, which is None after a success."""
    result = final.children()[0] if final.value else final
    if result.tag == 0xA0:
        return True, None
    return False, int.from_bytes(result.get(0x81).value, "big", signed=True)


def _iccid(metadata: Tlv) -> str | None:
    element = metadata.find(0x5A)
    try:
        return None if element is None else str(Iccid.from_bytes(element.value))
    except MalformedError:
        return None


def _event(content: bytes) -> str:
    known = [event.name.lower() for event in Event if event.value in bits_of(content)]
    return "+".join(known) or "unknown"


def _settle(site: ServerContext, notification: Notification, transaction_id: str) -> None:
    """Update the order's state; results of sessions before the latest one are ignored."""
    transaction = site.transactions.get(bytes.fromhex(transaction_id))
    order = next((one for one in site.orders.all() if one.transaction_id == transaction_id), None)
    if transaction is None or order is None or order.state is not OrderState.DOWNLOADED:
        return
    if notification.installed:
        changed = site.orders.change(order.id, state=OrderState.INSTALLED, reason=None)
    else:
        again = notification.error_reason in _TEMPORARY
        changed = site.orders.change(
            order.id,
            state=OrderState.RELEASED if again else OrderState.ERROR,
            reason=f"installation failed with errorReason {notification.error_reason}",
        )
    site.orders.forget_binding(changed)
