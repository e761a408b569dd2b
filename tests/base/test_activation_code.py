"""The activation code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpad.base.activation_code import ActivationCode
from lpad.base.errors import InvalidActivationCode

TOKEN = "04386-AGYFT-A74Y8-3F815"
OID = "1.3.6.1.4.1.31746"


@pytest.mark.parametrize(
    ("text", "host", "token", "oid", "confirmation"),
    [
        (f"LPA:1$SMDP.GSMA.COM${TOKEN}", "smdp.gsma.com", TOKEN, None, False),
        (f"1$SMDP.GSMA.COM${TOKEN}", "smdp.gsma.com", TOKEN, None, False),
        (f"1$SMDP.GSMA.COM${TOKEN}$$1", "smdp.gsma.com", TOKEN, None, True),
        (f"1$SMDP.GSMA.COM${TOKEN}${OID}", "smdp.gsma.com", TOKEN, OID, False),
        (f"1$SMDP.GSMA.COM${TOKEN}${OID}$1", "smdp.gsma.com", TOKEN, OID, True),
        (f"1$SMDP.GSMA.COM$${OID}", "smdp.gsma.com", "", OID, False),
        (f"1$SMDP.GSMA.COM${TOKEN}$", "smdp.gsma.com", TOKEN, None, False),
        (f"1$SMDP.GSMA.COM${TOKEN}${OID}$", "smdp.gsma.com", TOKEN, OID, False),
        (f"1$SMDP.GSMA.COM${TOKEN}$$", "smdp.gsma.com", TOKEN, None, False),
        ("1$SMDP.GSMA.COM$$", "smdp.gsma.com", "", None, False),
        ("1$smdp.gsma.com$A_B.c", "smdp.gsma.com", "A_B.c", None, False),
        ("1$smdp.gsma.com$+49-ab", "smdp.gsma.com", "+49-ab", None, False),
        ("1$SMDP.GSMA.COM$", "smdp.gsma.com", "", None, False),
        (
            "LPA:1$dp-plus-par07-01.oasis-smartsim.com$16972-65675-56112-2T7TD$1.3.6.1.2.1.53860.7.5.1.1",
            "dp-plus-par07-01.oasis-smartsim.com",
            "16972-65675-56112-2T7TD",
            "1.3.6.1.2.1.53860.7.5.1.1",
            False,
        ),
    ],
)
def test_codes_from_the_specification_and_the_field_are_parsed(
    text: str, host: str, token: str, oid: str | None, *, confirmation: bool
) -> None:
    """Codes from the specification and from the field are parsed correctly."""
    code = ActivationCode.parse(text)
    assert (code.address.host, code.matching_id) == (host, token)
    assert (code.smdp_oid, code.confirmation_code_required) == (oid, confirmation)


@pytest.mark.parametrize(
    "text",
    [
        f"lpa:1$smdp.gsma.com${TOKEN}",
        f"Lpa:1$Smdp.Gsma.Com${TOKEN}",
        f"  LPA:1$smdp.gsma.com${TOKEN}\n",
        f"LPA: 1$ smdp.gsma.com ${TOKEN}",
        f"LPA:1$smdp.gs\n  ma.com${TOKEN}",
        f"LPA:1$smdp.gsma.com\u00a0${TOKEN}",
        f"\ufeffLPA:1$smdp.gsma.com${TOKEN}",
        f"LPA:1$smdp.\u200bgsma.com$\u2060{TOKEN}\u00ad",
        f"'LPA:1$smdp.gsma.com${TOKEN}'",
        f"\u201eLPA:1$smdp.gsma.com${TOKEN}\u201c",
        f"LPA%3A1%24smdp.gsma.com%24{TOKEN}",
        f"https://esimsetup.apple.com/esim_qrcode_provisioning?carddata=LPA:1$smdp.gsma.com${TOKEN}",
        f"https://esimsetup.apple.com/esim_qrcode_provisioning?carddata=LPA%3A1%24smdp.gsma.com%24{TOKEN}",
        f"HTTPS://EsimSetup.Android.com:443/esim_qrcode_provisioning?x=1&carddata=1%24smdp.gsma.com%24{TOKEN}#y",
        f'"https://esimsetup.apple.com/esim_qrcode_provisioning?carddata=\n LPA:1$smdp.gsma.com${TOKEN}"',
    ],
)
def test_case_and_blanks(text: str) -> None:
    """The case of prefix and address is ignored, as are blanks, quotes, and a set-up link around a code."""
    assert str(ActivationCode.parse(text)) == f"LPA:1$smdp.gsma.com${TOKEN}"


def test_the_matching_id_keeps_its_case() -> None:
    """A matching ID keeps its case, because some operators issue matching IDs in lower case."""
    assert ActivationCode.parse("1$smdp.gsma.com$aBc-1").matching_id == "aBc-1"


def test_the_port_of_an_activation_codes_server_is_kept() -> None:
    """The address in an activation code may have a port other than 443."""
    assert ActivationCode.parse("LPA:1$localhost:8443$X").address.port == 8443


@pytest.mark.parametrize("more", ["$$$F54172BD", "$$1$F54172BD$AAEC", "$1.2.3$1$$x", "$$$$"])
def test_later_fields_are_ignored(more: str) -> None:
    """Fields that only later versions define are ignored, even empty ones."""
    assert ActivationCode.parse(f"LPA:1$smdp.gsma.com$X{more}").matching_id == "X"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "format"),
        ("LPA:", "format"),
        ("LPA:SMDP.GSMA.COM", "format"),
        (f"2$SMDP.GSMA.COM${TOKEN}", "format"),
        (f"$1$SMDP.GSMA.COM${TOKEN}", "format"),
        (f"LPA:LPA:1$SMDP.GSMA.COM${TOKEN}", "format"),
        ("1$x", "ends before"),
        (f"1$${TOKEN}", "names no server"),
        (f"1$https://smdp.gsma.com${TOKEN}", "server"),
        (f"1$smdp.gsma.com/path${TOKEN}", "server"),
        (f"1$smdp gsma,com${TOKEN}", "server"),
        (f"1$smdp.gsma.com:0${TOKEN}", "port"),
        ("1$smdp.gsma.com$ÄÖ", "matching ID"),
        (f"1$smdp.gsma.com${TOKEN}$1.2.x", "fourth"),
        (f"1$smdp.gsma.com${TOKEN}$1", "fourth"),
        (f"1$smdp.gsma.com${TOKEN}$9.1", "fourth"),
        (f"1$smdp.gsma.com${TOKEN}$1.02", "fourth"),
        (f"1$smdp.gsma.com${TOKEN}$$0", "fifth"),
        (f"1$smdp.gsma.com${TOKEN}$$yes", "fifth"),
        ("1$smdp.gsma.com$" + "A" * 255, "255"),
    ],
)
def test_invalid_activation_codes_are_refused(text: str, said: str) -> None:
    """An invalid activation code is refused; the error names the wrong part, and contains no secret."""
    with pytest.raises(InvalidActivationCode, match=said) as caught:
        ActivationCode.parse(text)
    assert TOKEN not in caught.value.sentence


@given(st.text(max_size=300))
def test_any_text_is_a_code_or_refused(text: str) -> None:
    """Parsing any text returns a code or raises InvalidActivationCode, and no other error."""
    for full in (text, f"LPA:1${text}", f"LPA:1$smdp.gsma.com${text}"):
        try:
            code = ActivationCode.parse(full)
        except InvalidActivationCode:
            continue
        assert ActivationCode.parse(str(code)) == code


def test_logs_do_not_show_the_matching_id() -> None:
    """The form of an activation code for logs has only the server, not the matching ID."""
    code = ActivationCode.parse(f"LPA:1$smdp.gsma.com${TOKEN}${OID}$1")
    assert code.redacted() == "LPA:1$smdp.gsma.com$…"


def test_a_plus_in_a_link_stays_one() -> None:
    """A '+' in a link stays unchanged, because a matching ID may begin with it."""
    link = "https://esimsetup.apple.com/esim_qrcode_provisioning?carddata=LPA:1$smdp.gsma.com$+a%2Bb"
    assert ActivationCode.parse(link).matching_id == "+a+b"


@pytest.mark.parametrize(
    "text",
    ["LPA:1", "lpa:1 ", "1", "LPA:1.example.com", "LPA:1.example.com-1234", "1.example.com-1234", "'LPA:1'"],
)
def test_the_rest_of_a_code_after_shell_expansion_is_recognised(text: str) -> None:
    """The error explains that the shell replaces each $ and the next word of a code without single quotes."""
    with pytest.raises(InvalidActivationCode, match="single quotes"):
        ActivationCode.parse(text)


@pytest.mark.parametrize(
    "link",
    [
        "https://sandbox.airalo.com/qr?expires=1&id=2&signature=3",
        f"https://esimsetup.example.com/esim_qrcode_provisioning?carddata=LPA:1$smdp.gsma.com${TOKEN}",
        f"https://esimsetup.apple.com@evil.example/esim_qrcode_provisioning?carddata=LPA:1$a.b${TOKEN}",
        f"http://esimsetup.apple.com/esim_qrcode_provisioning?carddata=LPA:1$smdp.gsma.com${TOKEN}",
        f"https://esimsetup.apple.com:8443/esim_qrcode_provisioning?carddata=LPA:1$smdp.gsma.com${TOKEN}",
        f"https://esimsetup.apple.com/other?carddata=LPA:1$smdp.gsma.com${TOKEN}",
        "https://esimsetup.apple.com/esim_qrcode_provisioning?carddata=",
        "https://esimsetup.apple.com/esim_qrcode_provisioning",
        "https://[bad",
        "https://esimsetup.apple.com:99999/esim_qrcode_provisioning?carddata=x",
    ],
)
def test_a_link_without_a_code_is_refused(link: str) -> None:
    """A link without an activation code is refused, and the error explains what to copy instead."""
    with pytest.raises(InvalidActivationCode, match="copy the text that begins with LPA:1") as caught:
        ActivationCode.parse(link)
    assert TOKEN not in caught.value.sentence


def test_a_text_without_end_is_refused() -> None:
    """A very long text, such as a pasted page, is refused."""
    with pytest.raises(InvalidActivationCode, match="4096"):
        ActivationCode.parse("x" * 5000)
