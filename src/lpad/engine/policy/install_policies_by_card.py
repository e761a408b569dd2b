"""The install policy of each card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.lpa.owner_install_policy import InstallPolicy

if TYPE_CHECKING:
    from collections.abc import Mapping


class Policies:
    """The install policies; the engine uses one object, so that new settings apply to later installations."""

    def __init__(
        self, general: InstallPolicy | None = None, own: Mapping[str, InstallPolicy] | None = None
    ) -> None:
        """Store the policies.

        Args:
            general: the policy of cards without their own; None: lpad's defaults.
            own: policies by the card's name in the settings; the general policy adds nothing to them.
        """
        self._held = (general or InstallPolicy(), dict(own or {}))

    def of(self, euicc: str) -> InstallPolicy:
        """Return the policy of the card with this name in the settings."""
        general, own = self._held
        return own.get(euicc, general)

    def become(self, other: Policies) -> None:
        """Replace all policies by those of another object."""
        self._held = other._held
