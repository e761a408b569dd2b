"""The applier `none`."""

from __future__ import annotations

import pytest

from lpad.network.no_applier import NoApplier
from network.applier_contract import ApplierContract, Bench


class TestContract(ApplierContract):
    """The applier `none`, which changes nothing, passes the tests of the contract."""

    @pytest.fixture
    def bench(self) -> Bench:
        return Bench(applier=NoApplier(), apn=lambda: None)
