import pytest

from metakd.study.spec import SpecError, StudySpec


def test_the_defaults_are_a_valid_study() -> None:
    spec = StudySpec(name="s")
    assert spec.as_json()["temperatures"] == [1.0, 2.0, 4.0, 8.0, 16.0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scales": (0.0,)}, r"\(0, 1\], got 0"),
        ({"scales": (1.5,)}, r"\(0, 1\], got 1.5"),
        ({"scales": (float("nan"),)}, r"\(0, 1\], got nan"),
        ({"scales": ()}, "scales must name at least one"),
        ({"scales": (0.1, 0.1)}, "must not repeat"),
        ({"temperatures": (4.0, 0.0)}, "above 0, got 0"),
        ({"temperatures": (-1.0,)}, "above 0, got -1"),
        ({"augmentations": ("heavy",)}, "unknown augmentation 'heavy': choose from none"),
        (
            {"strategies": ("magic",)},
            "unknown strategy 'magic': choose from ce, fixed, fixed-no-labels, grid",
        ),
        ({"validation": "half"}, "unknown validation 'half': choose from scaled, full"),
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"alpha": 2.0}, r"alpha must be in \[0, 1\]"),
        ({"margin_pp": 0.0}, "margin_pp must be above 0"),
        ({"margin_pp": float("inf")}, "margin_pp must be above 0 and finite"),
        ({"alpha": float("nan")}, r"alpha must be in \[0, 1\], got nan"),
        ({"temperatures": (float("inf"),)}, "finite and above 0, got inf"),
        ({"fixed_tau": 100.0}, r"starts in \[0.25, 64\], got 100: choose --tau"),
        ({"fixed_tau": 100.0, "strategies": ("meta-shared",)}, r"starts in \[0.25, 64\]"),
        ({"temperatures": (4.0, 100.0), "strategies": ("meta-starts",)}, "got 100"),
    ],
)
def test_a_senseless_value_is_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        StudySpec(name="s", **change)  # type: ignore[arg-type]


def test_a_fixed_temperature_may_be_where_none_that_is_learned_starts() -> None:
    for strategies in (("fixed", "grid"), ("align",), ("meta-starts",), ("metadistil",)):
        assert StudySpec(name="s", fixed_tau=100.0, strategies=strategies).fixed_tau == 100.0
