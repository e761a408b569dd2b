"""A test of a place under labgrid: `pytest --lg-env environment.yaml`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labgrid import Target


def test_profiles(target: Target) -> None:
    """While the driver is active, the bench file's card can be read; deactivation releases the place."""
    driver = target.get_driver("LpadDriver")
    driver.refresh()
    assert driver.place.eid == driver.place.client.euicc(driver.place.name).eid
    assert isinstance(driver.profiles(), list)
    target.deactivate(driver)
    assert driver.place is None


def test_as_it_was(target: Target) -> None:
    """Profiles that a test has installed and enabled are gone when the driver is deactivated."""
    driver = target.get_driver("LpadDriver")
    before = driver.profiles()
    place = driver.place
    done = place.client.download_leased(place.name, place.lease(), wait=300).check()
    driver.enable(done.result["iccid"])
    assert {each.iccid: each.state for each in driver.profiles()}[done.result["iccid"]] == "enabled"
    target.deactivate(driver)
    target.activate(driver)
    assert driver.profiles() == before
    target.deactivate(driver)
