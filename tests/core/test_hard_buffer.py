"""The hard buffer: how it fills, what it replaces, how it draws."""

import pytest
import torch
from one_thread import one_thread as one_thread
from torch import Tensor

from metakd.core.batches import Batch
from metakd.core.hard_buffer import DrawError, HardBuffer

B = 4


def batch(number: int) -> Batch:
    """Returns a batch whose every tensor says which samples it has: 4 number, 4 number + 1, ..."""
    ids = torch.arange(B * number, B * (number + 1))
    logits = ids[:, None, None].expand(B, 2, 3).float()
    return Batch(ids[:, None].float(), ids, None, logits, (logits[..., None],))


NONE_WRONG = torch.zeros(B, dtype=torch.bool)


def held(buffer: HardBuffer) -> Tensor:
    return buffer.draw(len(buffer)).labels.sort().values


def test_it_takes_all_that_comes_until_it_is_exactly_full() -> None:
    buffer = HardBuffer(10, seed=0)
    for number, expected in enumerate((4, 8, 10, 10)):
        buffer.add(batch(number), NONE_WRONG)
        assert len(buffer) == expected
        assert held(buffer).tolist() == list(range(expected))


def test_once_full_what_is_wrong_takes_as_many_other_places() -> None:
    buffer = HardBuffer(8, seed=0)
    for number in range(2):
        buffer.add(batch(number), NONE_WRONG)
    buffer.add(batch(5), torch.tensor([True, False, True, True]))
    found = held(buffer).tolist()
    assert len(set(found)) == 8
    assert set(found) - set(range(8)) == {20, 22, 23}


def test_a_buffer_smaller_than_a_batch_takes_what_it_can() -> None:
    buffer = HardBuffer(3, seed=0)
    buffer.add(batch(0), NONE_WRONG)
    assert held(buffer).tolist() == [0, 1, 2]
    buffer.add(batch(1), ~NONE_WRONG)
    assert held(buffer).tolist() == [4, 5, 6]


def test_all_parts_of_a_sample_stay_together() -> None:
    buffer = HardBuffer(6, seed=0)
    for number in range(4):
        buffer.add(batch(number), ~NONE_WRONG)
    drawn = buffer.draw(5)
    ids = drawn.labels.float()
    assert drawn.teacher_logits is None
    assert drawn.ensemble_logits is not None
    for part in (drawn.inputs, drawn.ensemble_logits, *drawn.teacher_features):
        assert (part.flatten(1) == ids[:, None]).all()


def test_it_draws_different_samples_each_as_likely_and_what_it_gave_stays() -> None:
    buffer = HardBuffer(8, seed=0)
    for number in range(2):
        buffer.add(batch(number), NONE_WRONG)
    counts = torch.zeros(8)
    for _ in range(800):
        labels = buffer.draw(3).labels
        assert len(set(labels.tolist())) == 3
        counts[labels] += 1
    # 300 ± 6 standard deviations of a count.
    assert ((counts - 300).abs() < 6 * 14).all()
    drawn = buffer.draw(8)
    before = drawn.labels.clone()
    buffer.add(batch(7), ~NONE_WRONG)
    assert torch.equal(drawn.labels, before)


def test_its_random_numbers_are_its_own() -> None:
    def labels(caller: int, seed: int) -> Tensor:
        torch.manual_seed(caller)
        buffer = HardBuffer(4, seed)
        for number in range(5):
            buffer.add(batch(number), ~NONE_WRONG)
        return buffer.draw(4).labels

    assert torch.equal(labels(0, 1), labels(9, 1))
    assert not torch.equal(labels(0, 1), labels(0, 2))
    state = torch.get_rng_state()
    labels_before = labels(9, 1)
    torch.set_rng_state(state)
    buffer = HardBuffer(4, seed=1)
    buffer.add(batch(0), NONE_WRONG)
    buffer.draw(2)
    assert torch.equal(torch.get_rng_state(), state)
    assert len(labels_before) == 4


@pytest.mark.parametrize("batches", [0, 1, 3])
def test_one_that_takes_its_state_goes_on_as_it_would(batches: int) -> None:
    first, second = HardBuffer(6, seed=0), HardBuffer(6, seed=7)
    for number in range(batches):
        first.add(batch(number), ~NONE_WRONG)
    second.load_state_dict(first.state_dict(), torch.device("cpu"))
    for buffer in (first, second):
        for number in range(9, 12):
            buffer.add(batch(number), ~NONE_WRONG)
    for found, expected in zip(second.draw(5).tensors, first.draw(5).tensors, strict=True):
        assert torch.equal(found, expected)


def test_a_draw_of_more_than_it_holds_is_refused_in_one_line() -> None:
    buffer = HardBuffer(3, seed=0)
    with pytest.raises(DrawError, match="holds 0 of at most 3"):
        buffer.draw(1)
    buffer.add(batch(0), NONE_WRONG)
    with pytest.raises(DrawError, match=r"draws 4 samples .* raise buffer_size to 4 or more"):
        buffer.draw(4)
