"""Use a daemon through a Python client that openapi-python-client has generated.

LPAD_SOCKET names the daemon's socket; LPAD_CODE is an activation code.
"""

from __future__ import annotations

import os
from datetime import datetime

import httpx
from lpad_client import Client
from lpad_client.api.cards import list_euiccs
from lpad_client.api.changes import get_change
from lpad_client.api.downloads import download
from lpad_client.api.profiles import list_profiles
from lpad_client.models import (
    DownloadChange,
    DownloadRequest,
    DownloadResult,
    EuiccList,
    InvalidActivationCodeProblem,
    NotFoundProblem,
    ProfileList,
)


def main() -> None:
    """Install a profile, and check that two errors arrive as objects of their own types."""
    over_socket = {"transport": httpx.HTTPTransport(uds=os.environ["LPAD_SOCKET"])}
    with Client(base_url="http://lpad", timeout=httpx.Timeout(130), httpx_args=over_socket) as lpad:
        cards = list_euiccs.sync(client=lpad)
        assert isinstance(cards, EuiccList)
        name = cards.euiccs[0].name
        # a field with a default is optional in a request
        asked = DownloadRequest(activation_code=os.environ["LPAD_CODE"])
        change = download.sync(name, client=lpad, body=asked, wait=120)
        assert isinstance(change, DownloadChange), change
        assert isinstance(change.created_at, datetime)
        assert isinstance(change.result, DownloadResult), change.error
        listed = list_profiles.sync(name, client=lpad)
        assert isinstance(listed, ProfileList)
        assert change.result.iccid in [each.iccid for each in listed.profiles]
        missing = get_change.sync(999, client=lpad)
        assert isinstance(missing, NotFoundProblem), missing
        refused = download.sync(name, client=lpad, body=DownloadRequest(activation_code="LPA:2$x$y"))
        assert isinstance(refused, InvalidActivationCodeProblem), refused
        print(f"Python: installed {change.result.iccid}, and read {missing.kind} and {refused.kind}")


if __name__ == "__main__":
    main()
