"""lpad's client with the bench's rules: what isn't expendable is neither deleted nor burnt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lpad.base.errors import Conflict
from lpad.client import Client

if TYPE_CHECKING:
    from hil.orders.order import Order
    from hil.place.restore_ledger import Ledger
    from lpad.client import Change


class CarefulClient(Client):
    """A client whose every way to delete or to burn something asks the rules first."""

    def __init__(self, socket: str, *, ledger: Ledger) -> None:
        """Prepare to speak to a place's daemon.

        Args:
            socket: the daemon's.
            ledger: says what is expendable, and is told what was installed.
        """
        super().__init__(socket)
        self._ledger = ledger
        self._known: set[str] = set()

    def download_leased(self, euicc: str, lease: Order, **options: Any) -> Change:
        """Download with a leased code, which is used up by it; `options` are those of a download.

        The lease's confirmation code is given unless the options say otherwise. Where the options don't wait
        for the end, `settle_leased` must follow.
        """
        options.setdefault("confirmation_code", lease.confirmation_code)
        self._known = {profile.iccid for profile in self.profiles(euicc)}
        if lease.expendable:
            self._ledger.expect(self._known)
        return self._note(super().download(euicc, activation_code=lease.spend(), **options), lease)

    def settle_leased(self, change_id: int, lease: Order, *, seconds: float) -> Change:
        """Wait for a leased download's end, and note what it installed."""
        return self._note(self.wait(change_id, seconds=seconds), lease)

    def recall(self, euicc: str) -> None:
        """Note what an expendable code has installed with nobody there to hear of it, as after a kill."""
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
        """Refuse: a code that wasn't leased might be burnt twice.

        Raises:
            Conflict: always.
        """
        raise Conflict("the bench downloads with leased codes only: use download_leased")

    def try_code(self, euicc: str, code: str, **options: Any) -> Change:
        """Download with a made-up code, which is expected to fail.

        Raises:
            Conflict: the code doesn't look made up.
        """
        if "MADE-UP" not in code:
            raise Conflict("a code that is made up has MADE-UP in its matching ID; others are leased")
        return super().download(euicc, activation_code=code, **options)

    def delete(self, euicc: str, iccid: str, **options: Any) -> Change:
        """Delete an expendable profile.

        Raises:
            Conflict: the bench file doesn't list it, and no expendable code of this bench has installed it.
        """
        if any(profile.iccid == iccid for profile in self.profiles(euicc)):
            self._ledger.check_expendable(iccid)
        return super().delete(euicc, iccid, **options)

    def reset(self, euicc: str, **options: Any) -> Change:
        """Reset a card that holds expendable profiles only.

        Raises:
            Conflict: it holds others.
        """
        for profile in self.profiles(euicc):
            self._ledger.check_expendable(profile.iccid)
        return super().reset(euicc, **options)

    def _note(self, change: Change, lease: Order) -> Change:
        """Note the profile of an expendable code as the bench's to delete, unless it was there before."""
        if change.result is not None and "iccid" in change.result and lease.expendable:
            iccid = str(change.result["iccid"])
            if iccid not in self._known:
                self._ledger.installed(iccid)
        if change.ended:
            self._ledger.arrived()
        return change
