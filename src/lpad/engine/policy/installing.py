"""Each card's policy of what may be installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.lpa.install_policy import InstallPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping


class Policies:
    """One object serves the whole engine, so that settings read anew count for all that begins later."""

    def __init__(
        self, general: InstallPolicy | None = None, own: Mapping[str, InstallPolicy] | None = None
    ) -> None:
        """Remember.

        Args:
            general: of cards without one of their own; None: what lpad allows by itself.
            own: by the card's name in the settings, whole: nothing is added from the general one.
        """
        self._held = (general or InstallPolicy(), dict(own or {}))

    def of(self, euicc: str) -> InstallPolicy:
        """Return a card's policy."""
        general, own = self._held
        return own.get(euicc, general)

    def become(self, other: Policies) -> None:
        """Take over another's, all at once."""
        self._held = other._held
