"""What holds for all tests."""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests that start clusters first: one process runs them all, one after the other."""
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)
