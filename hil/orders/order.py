"""What a test downloads with: an order that is its own until the test ends."""

from __future__ import annotations

from typing import Protocol


class Order(Protocol):
    """A leased code of a pool, or an order at the bench's own SM-DP+."""

    @property
    def expendable(self) -> bool:
        """Whether the profile that it installs may be deleted again."""
        ...

    @property
    def default_smdp(self) -> str | None:
        """The default SM-DP+ at which it waits; None: there is an activation code."""
        ...

    @property
    def confirmation_code(self) -> str | None:
        """What the operator gave with it."""
        ...

    def spend(self) -> str | None:
        """Return the activation code, which is used up by that; None where there is none."""
        ...

    def give_back(self) -> None:
        """Have done with it."""
        ...
