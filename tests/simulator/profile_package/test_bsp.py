"""The BSP that protects a bound profile package, tested with published vectors and round trips."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpad.simulator.profile_package.bsp import Bsp, BspKeys, BspSecurityError, BspStructureError

VECTORS = [
    (
        "c9a993dd4879a8f7161f2085410edd4f9652f1df37be097ba96ba2ca6be528fe",
        "8080808080808080",
        "89049032123451234512345678901235",
        "406d507b448a699e7a36a38494debbde",
        "472f5bfadd97f21d34f3ce9b51b92751",
        "9ec07f5b36a13e12a991d66e294e6242",
    ),
    (
        "8902dca391bbb22570fe60c176076246f568b1941265dff1d729e63039658089",
        "8080808080808080",
        "89049032123451234512345678901335",
        "734bc93ddb10c71c5ad13d420dc08b5b",
        "d782d575b22a38334556a3d9a1e2ae6b",
        "a35addc192ae8f934e2932116c7e89e7",
    ),
    (
        "79696dc34351dfc7758b07baf66643f01d7d8f5ab976c51d5f2c42ab71f5a6c3",
        b"euicc-rsp".hex(),
        "89049032123451234512345678901235",
        "9a8d4dc5d8c2ba3fccbb7f69036fd09f",
        "1f745c2897a86858e94823c218a2db4a",
        "1c073583341b81244c40aae342de5434",
    ),
]
KEYS = BspKeys.derive(*(bytes.fromhex(part) for part in VECTORS[0][:3]))


@pytest.mark.parametrize(("secret", "host", "eid", "chaining", "enc", "mac"), VECTORS)
def test_the_published_session_keys_are_derived(
    secret: str, host: str, eid: str, chaining: str, enc: str, mac: str
) -> None:
    """From a published secret, host and EID, the published session keys are derived."""
    keys = BspKeys.derive(bytes.fromhex(secret), bytes.fromhex(host), bytes.fromhex(eid))
    assert (keys.chaining.hex(), keys.s_enc.hex(), keys.s_mac.hex()) == (chaining, enc, mac)


def test_first_configure_isdp() -> None:
    """An empty ConfigureISDP is protected as the published bytes, and read back from them."""
    protected = bytes.fromhex("8718f6fe031e4b9cfe87c8e1e62f3fde85c49412d7722a6a2d89")
    assert Bsp(KEYS).protect(0x87, bytes.fromhex("bf2400")) == protected
    assert Bsp(KEYS).unprotect(protected) == bytes.fromhex("bf2400")


@given(st.lists(st.tuples(st.sampled_from([0x86, 0x87, 0x88]), st.binary(max_size=1007)), max_size=6))
def test_each_end_reads_what_the_other_protects(messages: list[tuple[int, bytes]]) -> None:
    """Elements that one end protects, in any order of tags, are read by the other end."""
    sender, receiver = Bsp(KEYS), Bsp(KEYS)
    for tag, plaintext in messages:
        assert receiver.unprotect(sender.protect(tag, plaintext)) == plaintext


def test_a_long_profile_is_cut_into_elements() -> None:
    """A long text is cut into elements of 1020 bytes and a shorter last one."""
    pieces = Bsp(KEYS).protect_all(0x86, bytes(2 * 1007 + 1))
    assert [len(piece) for piece in pieces] == [1020, 1020, 26]
    assert [len(piece) for piece in Bsp(KEYS).protect_all(0x88, bytes(1009))] == [1020, 11]
    assert len(Bsp(KEYS).protect_all(0x88, b"")) == 1


def test_replaced_keys_restart_the_counter() -> None:
    """After the same keys were set again, the same text gives the same bytes as at the start."""
    sender = Bsp(KEYS)
    fresh = sender.protect(0x87, b"first")
    sender.replace_session_keys(KEYS)
    assert sender.protect(0x87, b"first") == fresh


@pytest.mark.parametrize("place", [3, 20, -1])
def test_a_flipped_bit_is_a_security_error(place: int) -> None:
    """One flipped bit in the body or in the MAC is a security error."""
    protected = bytearray(Bsp(KEYS).protect(0x86, b"profile element"))
    protected[place] ^= 1
    with pytest.raises(BspSecurityError):
        Bsp(KEYS).unprotect(bytes(protected))


def test_wrong_padding_is_a_security_error() -> None:
    """A body without padding is a security error, even if its MAC is valid."""
    keys = BspKeys(KEYS.chaining, KEYS.s_enc, KEYS.s_mac)
    sender = Bsp(keys)
    sender._encrypt = lambda plaintext: Bsp(keys)._cipher(1).encryptor().update(plaintext)  # type: ignore[method-assign]  # a sender that omits the padding
    with pytest.raises(BspSecurityError):
        Bsp(keys).unprotect(sender.protect(0x86, bytes(16)))


@pytest.mark.parametrize(
    "protected",
    [
        "8903aabbcc",
        "8603aabbcc",
        "86",
        "8609" + "00" * 9,
        "8608" + "00" * 8,
        "868203fd" + "00" * 1021,
    ],
)
def test_a_wrong_structure_is_a_structure_error(protected: str) -> None:
    """A wrong tag, and a length that is too short, too long or not whole blocks, are structure errors."""
    with pytest.raises(BspStructureError):
        Bsp(KEYS).unprotect(bytes.fromhex(protected))
