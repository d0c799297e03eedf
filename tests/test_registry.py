"""Names are known before what they name is imported, and all of them name something."""

import sys
from dataclasses import is_dataclass

import pytest

from metakd.data.catalogue import SOURCES
from metakd.registry import Registry
from metakd.strategies import STRATEGIES


def test_a_value_is_imported_when_it_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    registry: Registry[object] = Registry({"pi": "math:pi", "zen": "this:nothing"})
    assert list(registry) == ["pi", "zen"]
    assert "zen" in registry
    assert len(registry) == 2
    assert "this" not in sys.modules
    assert registry["pi"] == pytest.approx(3.14159, abs=1e-5)
    with pytest.raises(KeyError):
        registry["e"]


def test_values_can_be_added_and_taken_away() -> None:
    registry: Registry[int] = Registry({})
    registry["one"] = 1
    assert dict(registry) == {"one": 1}
    del registry["one"]
    assert "one" not in registry


@pytest.mark.parametrize("name", SOURCES)
def test_every_dataset_is_there(name: str) -> None:
    assert callable(SOURCES[name])


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_is_there(name: str) -> None:
    assert is_dataclass(STRATEGIES[name])
    assert callable(STRATEGIES[name].search)
