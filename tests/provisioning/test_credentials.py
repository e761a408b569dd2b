"""Credentials for platforms, from private files or from systemd."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.base.errors import InvalidSettings
from lpad.provisioning.credentials import read_credential, read_credentials

if TYPE_CHECKING:
    from pathlib import Path


def test_a_credential_is_the_line_of_its_file(tmp_path: Path) -> None:
    """A credential is read from the only line of its file."""
    path = tmp_path / "key"
    path.write_text("s3cret\n")
    path.chmod(0o600)
    assert read_credentials({"key": "key"}, resolve=tmp_path.joinpath) == {"key": "s3cret"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """A credential's file that other users can read is refused, with the command that corrects this."""
    path = tmp_path / "key"
    path.write_text("s3cret")
    path.chmod(mode)
    with pytest.raises(InvalidSettings, match="chmod 600") as caught:
        read_credential("key", resolve=tmp_path.joinpath)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n", b"a\nb", b"\xff\xfe", b"x" * 20_000])
def test_invalid_credentials_are_refused(tmp_path: Path, content: bytes) -> None:
    """A credential's file that is empty, too long, not text or of several lines is refused."""
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(InvalidSettings):
        read_credential("key", resolve=tmp_path.joinpath)


def test_systemds_credentials_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential's name without a slash is searched for among systemd's credentials first."""
    folder = tmp_path / "systemd"
    folder.mkdir()
    (folder / "kore-secret").write_text("from systemd")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    assert read_credential("kore-secret", resolve=tmp_path.joinpath) == "from systemd"
    with pytest.raises(InvalidSettings, match="LoadCredential"):
        read_credential("other", resolve=tmp_path.joinpath)
