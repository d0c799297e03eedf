"""What of views, logits and features is kept, by the room that they take."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metakd.core.training import Recipe
from metakd.study.banks import BankSpec, choose_modes
from metakd.study.options import MODES, BankPolicy, Mode
from metakd.train.bank_building import BankContent
from metakd.train.sampling import Sampling
from metakd.train.trial import DataSpec, TeacherSpec

DATA = DataSpec("d", "f")
TEACHER, SILENT = (TeacherSpec(DATA, model, "none", Recipe()) for model in ("a", "b"))


def bank(augmentation: str, logits: int, features: int, views: int) -> BankSpec:
    return BankSpec(
        id=f"{augmentation}-{logits}-{features}-{views}",
        content=BankContent(DATA, Sampling(1.0, augmentation), Recipe(), seed=0),
        teachers=(TEACHER, SILENT),
        samples=3,
        passes=2,
        views_bytes=views,
        logits_bytes=logits,
        features_of=(TEACHER,) if features else (),
        features_bytes=features,
    )


NONE, STRONG = bank("none", 1, 30, 5), bank("strong", 1, 900, 40)


@pytest.mark.parametrize(
    ("room", "none", "strong"),
    [
        (1, "live", "live"),
        (2, "logits without features", "logits without features"),
        # Features before views, and where they are small though they are large elsewhere.
        (32, "logits with features", "logits without features"),
        (37, "full with features", "logits without features"),
        (77, "full with features", "full without features"),
        (932, "logits with features", "logits with features"),
        (977, "full with features", "full with features"),
    ],
)
def test_logits_come_first_then_features_then_views(room: int, none: str, strong: str) -> None:
    chosen = choose_modes([STRONG, NONE], BankPolicy(limit_bytes=room))
    assert [each.in_words for each in chosen] == [strong, none]
    told = [each.for_trials for each in chosen]
    assert [each is not None and each.has_features for each in told] == [
        "with features" in words for words in (strong, none)
    ]


banks_of = st.lists(
    st.builds(
        bank,
        st.sampled_from(["none", "standard", "strong"]),
        *[st.integers(0, 50)] * 3,
    ),
    min_size=1,
    max_size=6,
)


@given(banks_of, st.integers(0, 400))
def test_what_is_chosen_by_size_fits(banks: list[BankSpec], room: int) -> None:
    chosen = choose_modes(banks, BankPolicy(limit_bytes=room))
    assert sum(each.kept_bytes for each in chosen) <= room
    modes = {(each.augmentation, each.mode) for each in chosen}
    assert len(modes) == len({each.augmentation for each in chosen})
    assert all(each.features_of for each in chosen if each.keeps_features)


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_that_is_asked_for_keeps_features_unless_it_keeps_nothing(mode: Mode) -> None:
    plain = bank("mixup", 1, 0, 5)
    kept = choose_modes([NONE, plain], BankPolicy(mode, limit_bytes=1))
    assert [each.keeps_features for each in kept] == [mode != "live", False]
    assert kept[0].kept_bytes == {"full": 36, "logits": 31, "live": 0}[mode]
    assert kept[1].in_words == mode
    if mode != "live":
        assert kept[0].keeps_features_of(TEACHER)
        assert not kept[0].keeps_features_of(SILENT)
        assert not replace(kept[0], keeps_features=False).keeps_features_of(TEACHER)
