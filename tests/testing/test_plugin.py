"""lpad's pytest plugin in a separate run of pytest, as a program's author runs it."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

import lpad

pytest_plugins = ["pytester"]

SOURCE = Path(lpad.__file__).parents[1]
PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.fixture(autouse=True)
def installed(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make lpad's entry points for pytest available, even if lpad is not installed."""
    points = tomllib.loads(PYPROJECT.read_text())["project"]["entry-points"]["pytest11"]
    metadata = pytester.mkdir("site") / "lpad_fixtures-0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: lpad-fixtures\nVersion: 0\n")
    lines = [f"{name} = {module}" for name, module in points.items()]
    (metadata / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines]) + "\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(metadata.parent), str(SOURCE)]))


def run(pytester: pytest.Pytester, program: str) -> pytest.RunResult:
    pytester.makepyfile(program)
    return pytester.runpytest_subprocess("-W", "error", "--strict-markers")


def test_the_fixture_starts_and_stops_everything(pytester: pytest.Pytester) -> None:
    """lpad_gateway starts daemon, card and server, with which a download works, and deletes its folder."""
    done = run(
        pytester,
        """
        from pathlib import Path

        left = []

        def test_program(lpad_gateway):
            left.append(lpad_gateway.folder)
            lpad = lpad_gateway.client
            code = lpad_gateway.order_profile(name="Home")
            lpad.download("modem", activation_code=code, enable=True, wait=60).check()
            (profile,) = lpad.profiles("modem")
            assert (profile.name, profile.state) == ("Home", "enabled")
            assert str(lpad_gateway.card.enabled_iccid) == profile.iccid

        def test_nothing_is_left():
            assert not Path(left[0]).exists()
        """,
    )
    done.assert_outcomes(passed=2)


def test_the_fixtures_are_parts_of_one_gateway(pytester: pytest.Pytester) -> None:
    """The other fixtures are parts of the same gateway, and a test can make its modem vanish."""
    done = run(
        pytester,
        """
        from lpad.client import Client

        def test_parts(lpad_gateway, lpad_socket, lpad_client, lpad_card, lpad_modem, lpad_smdp):
            iccid = lpad_gateway.install_profile()
            with Client(lpad_socket) as other:
                assert [each.iccid for each in other.profiles("modem")] == [iccid]
            assert [str(each.iccid) for each in lpad_card.profiles] == [iccid]
            lpad_gateway.until(lambda: any(each.event == "install" for each in lpad_smdp.notifications))
            lpad_modem.vanish()
            assert lpad_client.refresh("modem", wait=60).error.kind == "card-unreachable"
        """,
    )
    done.assert_outcomes(passed=1)


def test_the_marker_selects_modem_and_settings(pytester: pytest.Pytester) -> None:
    """The marker selects a personality and adds settings; unknown names are errors of the test."""
    done = run(
        pytester,
        """
        import pytest

        @pytest.mark.lpad(personality="cgla-number", settings={"history": {"changes": 50}})
        def test_other_modem(lpad_gateway):
            lpad_gateway.install_profile()
            assert any(line.startswith("AT+CGLA") for line in lpad_gateway.modem.received)
            assert '"history"' in (lpad_gateway.folder / "lpad.yaml").read_text()

        @pytest.mark.lpad(colour="red")
        def test_typo(lpad_gateway):
            pass

        @pytest.mark.lpad(settings={"colour": "red"})
        def test_wrong_settings(lpad_gateway):
            pass
        """,
    )
    done.assert_outcomes(passed=1, errors=2)
    done.stdout.fnmatch_lines(["*the marker is lpad(personality=None, settings=None, euicc=None)*"])
    done.stdout.fnmatch_lines(["*the daemon did not start:*", "*colour*"])


def test_costs_nothing_unused(pytester: pytest.Pytester) -> None:
    """A test without the fixtures imports the plugin, but neither simulator nor client."""
    done = run(
        pytester,
        """
        import sys

        def test_unused():
            assert "lpad.testing.plugin" in sys.modules
            assert not {"lpad.simulator", "lpad.client", "asn1tools"} & set(sys.modules)
        """,
    )
    done.assert_outcomes(passed=1)
