"""The methods of Euicc with a simulated card, which uses another codec."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpa.bench import ICCID, OTHER_ICCID, Bench, soon
from lpad.base.errors import CardRefused
from lpad.base.identifiers import Iccid
from lpad.codec.messages.metadata import NotificationEvent, ProfileClass
from lpad.codec.messages.profile_info import TAGS, ProfileState
from lpad.simulator.smdp.store.profile_metadata import ProfileMetadata

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.identifiers import Aid

FIRST = Iccid.parse(ICCID)
SECOND = Iccid.parse(OTHER_ICCID)


@pytest.fixture
def loaded(bench: Bench) -> Bench:
    """A bench whose card has two profiles, of which the first is enabled."""
    bench.download(bench.order(metadata=ProfileMetadata(iccid=ICCID, icon=b"\x89PNG")))
    bench.download(bench.order(OTHER_ICCID))
    with bench.euicc() as euicc:
        euicc.enable_profile(FIRST, refresh=False, deadline=soon())
    return bench


def states(bench: Bench) -> dict[Iccid, ProfileState]:
    with bench.euicc() as euicc:
        return {profile.iccid: profile.state for profile in euicc.get_profiles_info(deadline=soon())}


def test_the_cards_information_is_read(bench: Bench) -> None:
    """EID, EUICCInfo1, EUICCInfo2, challenges and the RAT of the card can be read."""
    with bench.euicc() as euicc:
        assert euicc.get_eid(deadline=soon()) == bench.card.eid
        info1 = euicc.get_euicc_info1(deadline=soon())
        info2 = euicc.get_euicc_info2(deadline=soon())
        challenges = {euicc.get_euicc_challenge(deadline=soon()) for _ in range(3)}
        rules = euicc.get_rat(deadline=soon())
    assert info1.svn == info2.svn
    assert info1.ci_verification == info2.ci_verification != ()
    assert info1.ci_signing == info2.ci_signing != ()
    assert info2.resources.free_non_volatile_memory == bench.card.free_memory
    assert len(challenges) == 3
    assert isinstance(rules, tuple)


def test_the_default_address_is_set_and_cleared(bench: Bench) -> None:
    """The default SM-DP+ address can be set and cleared, and a memory reset restores the original one."""
    with bench.euicc() as euicc:
        factory = euicc.get_euicc_configured_addresses(deadline=soon())
        euicc.set_default_dp_address("smdp.example.com", deadline=soon())
        assert euicc.get_euicc_configured_addresses(deadline=soon()).default_dp_address == "smdp.example.com"
        euicc.set_default_dp_address("", deadline=soon())
        assert euicc.get_euicc_configured_addresses(deadline=soon()).default_dp_address is None
        euicc.set_default_dp_address("smdp.example.com", deadline=soon())
        euicc.euicc_memory_reset(default_smdp_address=True, deadline=soon())
        assert euicc.get_euicc_configured_addresses(deadline=soon()) == factory


def test_profiles_are_listed_with_icons_on_request(loaded: Bench) -> None:
    """Profiles are listed with names and state, and with icons only on request; a search by class works."""
    with loaded.euicc() as euicc:
        first, second = euicc.get_profiles_info(deadline=soon())
        (whole,) = euicc.get_profiles_info(search=FIRST, tags=TAGS, deadline=soon())
        operational = euicc.get_profiles_info(search=ProfileClass.OPERATIONAL, deadline=soon())
        tests = euicc.get_profiles_info(search=ProfileClass.TEST, deadline=soon())
    assert (first.iccid, first.state) == (FIRST, ProfileState.ENABLED)
    assert (second.iccid, second.state) == (SECOND, ProfileState.DISABLED)
    assert first.name
    assert first.service_provider_name
    assert (first.icon, whole.icon, whole.icon_type) == (None, b"\x89PNG", "image/png")
    assert operational == (first, second)
    assert tests == ()


def test_enabling_a_profile_disables_the_other(loaded: Bench) -> None:
    """Enabling a profile, here by AID, disables the other; a profile can also be disabled by ICCID."""
    aids: dict[Iccid, Aid] = {profile.iccid: profile.aid for profile in loaded.card.profiles}
    with loaded.euicc() as euicc:
        euicc.enable_profile(aids[SECOND], refresh=False, deadline=soon())
    assert states(loaded) == {FIRST: ProfileState.DISABLED, SECOND: ProfileState.ENABLED}
    with loaded.euicc() as euicc:
        euicc.disable_profile(SECOND, refresh=False, deadline=soon())
    assert set(states(loaded).values()) == {ProfileState.DISABLED}


def test_switching_with_refresh(loaded: Bench) -> None:
    """A switch with REFRESH succeeds, and has taken effect after the card's reset."""
    with loaded.euicc() as euicc:
        euicc.enable_profile(SECOND, refresh=True, deadline=soon())
    loaded.card.reset()
    assert states(loaded) == {FIRST: ProfileState.DISABLED, SECOND: ProfileState.ENABLED}


def test_the_cards_refusals_have_names(loaded: Bench) -> None:
    """The simulated card's refusals are reported with their SGP.22 names."""
    unknown = Iccid.parse("8900000000000000000")
    reasons = []
    with loaded.euicc() as euicc:
        acts: list[Callable[[], None]] = [
            lambda: euicc.enable_profile(FIRST, refresh=False, deadline=soon()),
            lambda: euicc.enable_profile(unknown, refresh=False, deadline=soon()),
            lambda: euicc.disable_profile(SECOND, refresh=False, deadline=soon()),
            lambda: euicc.delete_profile(FIRST, deadline=soon()),
            lambda: euicc.delete_profile(unknown, deadline=soon()),
            lambda: euicc.set_nickname(unknown, "x", deadline=soon()),
            lambda: euicc.euicc_memory_reset(test_profiles=True, deadline=soon()),
        ]
        for act in acts:
            with pytest.raises(CardRefused) as caught:
                act()
            reasons.append(caught.value.details["reason"])
    assert reasons == [
        "profileNotInDisabledState",
        "iccidOrAidNotFound",
        "profileNotInEnabledState",
        "profileNotInDisabledState",
        "iccidOrAidNotFound",
        "iccidNotFound",
        "nothingToDelete",
    ]


def test_a_nickname_is_set_and_removed(loaded: Bench) -> None:
    """A nickname of 64 bytes with non-ASCII letters can be set and removed."""
    name = "Fernwärme " * 5 + "Nordstadt"
    assert len(name.encode()) == 64
    with loaded.euicc() as euicc:
        euicc.set_nickname(SECOND, name, deadline=soon())
        assert [one.nickname for one in euicc.get_profiles_info(deadline=soon())] == [None, name]
        euicc.set_nickname(SECOND, "", deadline=soon())
        assert [one.nickname for one in euicc.get_profiles_info(deadline=soon())] == [None, None]


def test_deleting_and_resetting(loaded: Bench) -> None:
    """A disabled profile can be deleted, and a memory reset deletes even the enabled profile."""
    with loaded.euicc() as euicc:
        euicc.delete_profile(SECOND, deadline=soon())
    assert list(states(loaded)) == [FIRST]
    with loaded.euicc() as euicc:
        euicc.euicc_memory_reset(operational_profiles=True, deadline=soon())
    loaded.card.reset()
    assert states(loaded) == {}


def test_notifications_are_listed_fetched_and_removed(loaded: Bench) -> None:
    """Notifications can be listed in order, retrieved one by one as the card signed them, and removed."""
    with loaded.euicc() as euicc:
        listed = euicc.notification_list(deadline=soon()).notifications
        numbers = [entry.sequence_number for entry in listed]
        assert numbers == sorted(numbers)
        assert numbers == [one.number for one in loaded.card.notifications]
        installs = euicc.notification_list(events=(NotificationEvent.INSTALL,), deadline=soon()).notifications
        assert {entry.event for entry in installs} == {NotificationEvent.INSTALL}
        for one in loaded.card.notifications:
            (pending,) = euicc.retrieve_notifications_list(sequence_number=one.number, deadline=soon())
            assert pending.raw == one.signed
            assert pending.metadata in listed
        whole = euicc.retrieve_notifications_list(deadline=soon())
        assert [pending.metadata for pending in whole] == list(listed)
        assert euicc.remove_notification_from_list(numbers[0], deadline=soon())
        assert not euicc.remove_notification_from_list(numbers[0], deadline=soon())
        assert euicc.retrieve_notifications_list(sequence_number=numbers[0], deadline=soon()) == ()
    assert [one.number for one in loaded.card.notifications] == numbers[1:]
