import pytest
import torch
import torch.nn.functional as F
from torch import nn

from metakd.core.evaluation import evaluate


def test_accuracy_and_loss_do_not_depend_on_the_batch_size() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 4), nn.Dropout(0.5)).train()
    inputs, labels = torch.randn(23, 6), torch.randint(4, (23,))
    logits = model[0](inputs).detach()
    for batch_size in (1, 7, 100):
        batches = zip(inputs.split(batch_size), labels.split(batch_size), strict=True)
        found = evaluate(model, batches)
        assert found.accuracy == (logits.argmax(1) == labels).double().mean()
        assert found.loss == pytest.approx(float(F.cross_entropy(logits, labels)), rel=1e-5)
    assert model.training
