"""Names are refused or let pass without timm, and as timm itself would."""

import sys

import pytest
import timm

from metakd.models.architectures import CATALOGUE
from metakd.models.names import ModelError, require_known_model


@pytest.fixture(autouse=True)
def without_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be looked up in timm's own registry."""
    monkeypatch.delitem(sys.modules, "timm")


def test_every_model_of_timm_is_known_from_its_source() -> None:
    names = [name for name in timm.list_models() if name not in CATALOGUE]
    assert len(names) > 1000
    for name in names:
        require_known_model(f"timm:{name}")
    for name in timm.list_pretrained()[::50]:
        require_known_model(f"timm:{name},pretrained=True")


def test_every_model_of_ours_is_known() -> None:
    for name in CATALOGUE:
        require_known_model(name)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("timm:resnet1888", "did you mean timm:resnet18"),
        ("timm:", "unknown model"),
        ("resnet18", "did you mean .*timm:resnet18"),
        ("cifar_resnet21", "did you mean .*cifar_resnet20"),
        ("digit_cnn,depth=3", "unknown model"),
        ("timm:resnet18,depth", "key=value"),
        ("timm:.*", "unknown model"),
    ],
)
def test_what_is_no_model_is_refused_with_what_resembles_it(name: str, hint: str) -> None:
    with pytest.raises(ModelError, match=hint):
        require_known_model(name)


def test_a_model_that_somebody_registered_with_timm_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Registering:
        @staticmethod
        def is_model(name: str) -> bool:
            return name == "somebodys_net"

    monkeypatch.setitem(sys.modules, "timm", Registering)
    require_known_model("timm:somebodys_net")
