"""What every test shares: no display, and the same examples at every run."""

import os

import pytest
from hypothesis import settings

os.environ["MPLBACKEND"] = "Agg"
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _no_terminal_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages are one line however wide the terminal of whoever runs the tests."""
    monkeypatch.setenv("COLUMNS", "200")
