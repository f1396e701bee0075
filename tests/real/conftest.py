"""How often a fault is repeated: a few times in every run, fifty for a proof.

pytest tests/real/test_token_faults.py --rounds 50
"""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, default=None, help="how often each fault of a token is repeated")


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    return request.config.getoption("--rounds", None) or 2
