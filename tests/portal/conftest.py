import json
import logging
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest


@pytest.fixture
def log_lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Return what the portal's own handler wrote in this test; every line must be one JSON object."""
    handlers = logging.getLogger().handlers
    [ours] = [each for each in handlers if type(each.formatter).__name__ == "ProcessorFormatter"]
    assert isinstance(ours, logging.StreamHandler)
    written = StringIO()
    before = ours.setStream(written)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    ours.setStream(before)
