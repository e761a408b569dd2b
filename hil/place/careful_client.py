"""lpad's client with the bench's rules: it deletes only expendable profiles, and uses only leased codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lpad.base.errors import Conflict
from lpad.client import Client

if TYPE_CHECKING:
    from hil.orders.order import Order
    from hil.place.restore_ledger import Ledger
    from lpad.client import Change


class CarefulClient(Client):
    """A client that checks the bench's rules before it deletes a profile or uses up a code."""

    def __init__(self, socket: str, *, ledger: Ledger) -> None:
        """Create a client of a place's daemon.

        Args:
            socket: the daemon's socket.
            ledger: knows which profiles are expendable, and records installed ones.
        """
        super().__init__(socket)
        self._ledger = ledger
        self._known: set[str] = set()

    def download_leased(self, euicc: str, lease: Order, **options: Any) -> Change:
        """Download with a leased code, which is then used up; `options` are those of `Client.download`.

        The request contains the lease's confirmation code unless the options override it. If the options do
        not wait for the end of the download, call `settle_leased` afterwards.
        """
        options.setdefault("confirmation_code", lease.confirmation_code)
        self._known = {profile.iccid for profile in self.profiles(euicc)}
        if lease.expendable:
            self._ledger.expect(self._known)
        return self._note(super().download(euicc, activation_code=lease.spend(), **options), lease)

    def settle_leased(self, change_id: int, lease: Order, *, seconds: float) -> Change:
        """Wait until a leased download has ended; record its profile, and return the change."""
        return self._note(self.wait(change_id, seconds=seconds), lease)

    def recall(self, euicc: str) -> None:
        """Record a profile that an expendable code installed in a run that was killed before recording it."""
        known = self._ledger.expected_beside
        if known is None:
            return
        downloads = [each for each in self.changes() if each.kind == "download"]
        if any(not each.ended for each in downloads):
            return
        there = {profile.iccid for profile in self.profiles(euicc)} - known
        for iccid in there & {str((each.result or {}).get("iccid")) for each in downloads}:
            self._ledger.installed(iccid)
        self._ledger.arrived()

    def download(self, *_arguments: Any, **_options: Any) -> Change:
        """Refuse, because a code without a lease might be used twice.

        Raises:
            Conflict: always.
        """
        raise Conflict(
            "cannot download without a lease: the bench uses only leased codes; call download_leased"
        )

    def try_code(self, euicc: str, code: str, **options: Any) -> Change:
        """Request a download with a made-up code, which must fail, and return the change.

        Raises:
            Conflict: the code does not look made up.
        """
        if "MADE-UP" not in code:
            raise Conflict("a made-up code must have MADE-UP in its matching ID; lease any other code")
        return super().download(euicc, activation_code=code, **options)

    def delete(self, euicc: str, iccid: str, **options: Any) -> Change:
        """Delete an expendable profile.

        Raises:
            Conflict: the bench file does not list the profile, and no expendable code of this bench has
                installed it.
        """
        if any(profile.iccid == iccid for profile in self.profiles(euicc)):
            self._ledger.check_expendable(iccid)
        return super().delete(euicc, iccid, **options)

    def reset(self, euicc: str, **options: Any) -> Change:
        """Reset a card that holds only expendable profiles.

        Raises:
            Conflict: a profile on the card is not expendable.
        """
        for profile in self.profiles(euicc):
            self._ledger.check_expendable(profile.iccid)
        return super().reset(euicc, **options)

    def _note(self, change: Change, lease: Order) -> Change:
        """Record that the bench may delete an expendable code's profile, unless it was on the card before."""
        if change.result is not None and "iccid" in change.result and lease.expendable:
            iccid = str(change.result["iccid"])
            if iccid not in self._known:
                self._ledger.installed(iccid)
        if change.ended:
            self._ledger.arrived()
        return change
