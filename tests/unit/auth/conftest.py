"""An authenticator with keys of its own, and a clock that stands still."""

import pytest

from tests.unit.auth.house import House


@pytest.fixture
def house() -> House:
    return House()
