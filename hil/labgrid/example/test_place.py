"""A place in labgrid's hands: `pytest --lg-env environment.yaml`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labgrid import Target


def test_profiles(target: Target) -> None:
    """While the driver is active the card is known and can be asked; afterwards it is as it was."""
    driver = target.get_driver("LpadDriver")
    driver.refresh()
    assert driver.place.eid == driver.place.client.euicc(driver.place.name).eid
    assert isinstance(driver.profiles(), list)
    target.deactivate(driver)
    assert driver.place is None
