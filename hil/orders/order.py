"""The order for a test's download, which belongs to the test until the test ends."""

from __future__ import annotations

from typing import Protocol


class Order(Protocol):
    """A leased code of a pool, or an order at the bench's own SM-DP+."""

    @property
    def expendable(self) -> bool:
        """Whether the bench may delete the profile that this order installs."""
        ...

    @property
    def default_smdp(self) -> str | None:
        """The default SM-DP+ at which the order waits; None: there is an activation code."""
        ...

    @property
    def confirmation_code(self) -> str | None:
        """The confirmation code that the operator gave with the order; None: the order needs none."""
        ...

    def spend(self) -> str | None:
        """Record that the order is used up; return its activation code, or None at a default SM-DP+."""
        ...

    def give_back(self) -> None:
        """End the test's use of the order; an unused code becomes available again."""
        ...
