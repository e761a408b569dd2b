"""The contract's assertions explain themselves like those of tests."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("card.link_contract")
