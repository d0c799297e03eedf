"""Mean weights over an epoch against means taken sample by sample."""

import torch
from one_thread import one_thread as one_thread

from metakd.core.teacher_weights import WeightsTally

B, K, C = 10, 3, 4


def test_means_are_those_of_the_samples_of_each_group() -> None:
    torch.manual_seed(0)
    tally, seen = WeightsTally(), []
    for _ in range(3):
        weights = torch.randn(B, K).softmax(dim=1)
        logits, classes = (
            torch.randn(B, C),
            torch.randint(C - 1, (B,)),
        )  # the last class never comes
        tally.add("logits", weights, logits, classes)
        seen.append((weights, logits.argmax(dim=1) == classes, classes))
    weights, is_right, classes = (torch.cat(parts) for parts in zip(*seen, strict=True))
    groups = {"all": torch.ones(3 * B, dtype=torch.bool), "right": is_right, "wrong": ~is_right}
    groups |= {f"class {c}": classes == c for c in range(C - 1)}
    found = {each.among: each for each in tally.means(None)}
    assert list(found) == list(groups)
    for among, members in groups.items():
        assert found[among].of == "logits"
        assert found[among].samples == int(members.sum())
        expected = weights[members].double().mean(dim=0)
        torch.testing.assert_close(torch.tensor(found[among].weights).double(), expected)


def test_after_a_clear_nothing_is_left() -> None:
    tally = WeightsTally()
    assert tally.means(None) == ()
    tally.add("features", torch.ones(2, 1), torch.zeros(2, C), torch.zeros(2, dtype=torch.int64))
    assert [each.of for each in tally.means(None)] == ["features"] * 3
    tally.clear()
    assert tally.means(None) == ()
