"""What a study shows on Ray's dashboard, as Prometheus reads it."""

import json
import re
import time
import urllib.request
from pathlib import Path

import pytest
import ray

from metakd.core.distillers import MKDConfig
from metakd.core.evaluation import Evaluation
from metakd.core.training import EpochRecord, Recipe
from metakd.study.cluster import Cluster
from metakd.study.metrics import StudyGauges, TrialGauges
from metakd.train.epochs import Epoch
from metakd.train.sampling import Sampling
from metakd.train.trial import DataSpec, Trial

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")
GRAFANA = Path(__file__).parents[2] / "dashboards" / "grafana.json"

TRIAL = Trial(
    data=DataSpec("digits", "f"),
    sampling=Sampling(0.3, "none"),
    teacher=None,
    student="s",
    recipe=Recipe(),
    distiller=MKDConfig(),
    seed=1,
)
EPOCH = Epoch(
    EpochRecord(
        epoch=6,
        step=70,
        lr=0.1,
        train_loss=1.0,
        ce_loss=1.0,
        kd_loss=1.0,
        temperatures=(2.5, 5.0),
        meta_loss=None,
        meta_gradient=None,
        meta_steps=0,
        meta_steps_skipped=0,
        step_equivalents=70.0,
        compute_s=1.0,
    ),
    Evaluation(0.75, 0.5),
    elapsed_s=1.0,
)


@pytest.fixture(scope="module")
def exported(cluster: Cluster) -> str:
    """What Ray's agent exports, once the gauges have arrived there."""
    TrialGauges().show(TRIAL, EPOCH)
    StudyGauges("a_study").show(done=4, running=2, failed=1, waiting=3)
    node = ray.nodes()[0]
    url = f"http://{node['NodeManagerAddress']}:{node['MetricsExportPort']}/metrics"
    text = ""
    deadline = time.monotonic() + 60
    while "metakd_study_trials{" not in text or "metakd_trial_epoch{" not in text:
        assert time.monotonic() < deadline
        time.sleep(0.5)
        with urllib.request.urlopen(url) as answer:
            text = answer.read().decode()
    return text


def value(text: str, name: str, **labels: str) -> float:
    lines = [line for line in text.splitlines() if line.startswith(f"{name}{{")]
    (found,) = [
        line for line in lines if all(f'{key}="{label}"' in line for key, label in labels.items())
    ]
    return float(found.rsplit(" ", 1)[1])


def test_trials_and_studies_are_exported_with_readable_names(exported: str) -> None:
    trial = {"trial": "digits-30pct-none-mkd-tau4-seed1", "method": "mkd"}
    assert value(exported, "ray_metakd_trial_epoch", **trial) == 7
    assert value(exported, "ray_metakd_trial_validation_accuracy", **trial) == 0.75
    assert value(exported, "ray_metakd_trial_temperature", side="student", **trial) == 2.5
    assert value(exported, "ray_metakd_trial_temperature", side="teacher", **trial) == 5.0
    states = {"done": 4, "running": 2, "failed": 1, "waiting": 3}
    for state, count in states.items():
        assert value(exported, "ray_metakd_study_trials", study="a_study", state=state) == count


def test_grafana_s_dashboard_asks_for_what_there_is(exported: str) -> None:
    panels = json.loads(GRAFANA.read_text())["panels"]
    asked = {
        name
        for panel in panels
        for target in panel["targets"]
        for name in re.findall(r"ray_metakd_\w+", target["expr"])
    }
    assert asked == set(re.findall(r"^(ray_metakd_\w+)\{", exported, re.MULTILINE))
