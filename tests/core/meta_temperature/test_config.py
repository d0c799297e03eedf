import itertools

from hypothesis import given
from hypothesis import strategies as st

from metakd.core.meta_temperature import MetaTemperatureConfig


@given(
    interval=st.integers(1, 12),
    horizon=st.integers(1, 5),
    steps=st.integers(0, 60),
)
def test_a_look_ahead_remembers_just_the_steps_it_reaches_back_over(
    interval: int, horizon: int, steps: int
) -> None:
    config = MetaTemperatureConfig(interval=interval, horizon=horizon)
    due = [step for step in range(steps) if config.is_due(step)]
    assert len(due) == config.look_aheads(steps)
    assert all(later - earlier == interval for earlier, later in itertools.pairwise(due))
    needed = {step for last in due for step in range(last - horizon + 1, last + 1)}
    remembered = {step for step in range(steps) if config.remembers(step)}
    assert needed <= remembered
    # What is remembered beyond that belongs to a look-ahead that the run's end cuts off.
    assert all(step > max(due, default=-1) for step in remembered - needed)


def test_a_share_of_a_batch_is_never_fewer_than_two_samples() -> None:
    config = MetaTemperatureConfig(meta_fraction=0.01)
    assert [config.samples_of(size) for size in (1, 2, 64, 1000)] == [1, 2, 2, 10]


def test_the_rule_follows_the_form_where_none_is_named() -> None:
    def rule(**settings: object) -> str:
        return MetaTemperatureConfig(**settings).effective_rule  # type: ignore[arg-type]

    assert rule() == rule(form="shared") == "search"
    assert rule(form="per_sample") == rule(learn_alpha=True) == rule(rule="gradient") == "gradient"


def test_search_begins_at_the_middle_of_its_range_and_nowhere_else() -> None:
    assert MetaTemperatureConfig(tau_s=16.0, tau_t=1.0).start == (4.0, 4.0)
    assert MetaTemperatureConfig(search_range=(2.0, 32.0)).start == (8.0, 8.0)
    assert MetaTemperatureConfig(rule="gradient", tau_s=16.0, tau_t=1.0).start == (16.0, 1.0)
