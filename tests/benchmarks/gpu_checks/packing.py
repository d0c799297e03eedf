"""Many small students on one device: what a step of N of them takes, by each way to train them.

``--pack N`` is built only if a way measures at least 3 times the students a second at 16.
"""

import multiprocessing
import time
from functools import partial
from multiprocessing.synchronize import Barrier

import torch

from gpu_checks.case import Found, Setup, largest_difference
from gpu_checks.packing_ways import ON_GPU_ALONE, WAYS, Students, one_by_one

MODELS = {"ResNet-20": "cifar_resnet20", "digits CNN": "digit_cnn_tiny"}
COUNTS, MOST_PROCESSES = (1, 4, 16, 64), 16
BATCH, MOST_STEPS = 64, 64
FIRST = "one by one"
SAME = 1e-3
START_S = 40.0
"""Processes that have not begun by then never will."""


def equal(model: str, setup: Setup) -> Found:
    """Three steps of three students by each way, against separate students."""
    model = setup.size(model, "cifar_resnet8") if "resnet" in model else model
    of_each, numbers = {}, {}
    for name, way in WAYS.items():
        if setup.device == "cpu" and name in ON_GPU_ALONE:
            continue
        made = way(Students.new(model, 3, 8, setup.device))
        start = made.weights().double()
        setup.wait()
        for _ in range(3):
            made.step()
        setup.wait()
        of_each[name] = made.weights().double() - start
    for name, moved in of_each.items():
        numbers[name] = largest_difference(moved, of_each[FIRST])
    return Found(max(numbers.values()) < SAME, numbers)


def speed(model: str, setup: Setup) -> Found:
    """Milliseconds of a step of N students, by each way."""
    times: dict[str, float] = {}
    failures: dict[str, str] = {}
    batch = setup.size(BATCH, 4)
    for count in setup.size(COUNTS, (1, 2)):
        steps = setup.size(max(3, MOST_STEPS // count), 1)
        for name, way in WAYS.items():
            if setup.left_s <= 0 or (setup.device == "cpu" and name in ON_GPU_ALONE):
                continue
            try:
                step = way(Students.new(model, count, batch, setup.device)).step
                times[f"{name}, {count}"] = 1e3 * setup.seconds(step, steps)
            except RuntimeError as error:  # a way may run out of memory, or not be captured
                failures[f"{name}, {count}"] = str(error).splitlines()[0]
    gains = {
        f"gain of {row}": times[f"{FIRST}, {row.split(', ')[1]}"] / took
        for row, took in times.items()
        if f"{FIRST}, {row.split(', ')[1]}" in times and not row.startswith(FIRST)
    }
    return Found(None, {**times, **gains, **failures})


def train_in_process(
    model: str, batch: int, steps: int, device: str, ready: Barrier, done: Barrier
) -> None:
    """Takes the steps of one student between two barriers."""
    torch.set_num_threads(1)
    step = one_by_one(Students.new(model, 1, batch, device)).step
    for _ in range(2):
        step()
    if device == "cuda":
        torch.cuda.synchronize()
    ready.wait(START_S)
    for _ in range(steps):
        step()
    if device == "cuda":
        torch.cuda.synchronize()
    done.wait(START_S)


def processes(model: str, setup: Setup) -> Found:
    """Milliseconds of a step of N students, each in a process of its own."""
    numbers: dict[str, float] = {}
    if setup.is_tiny and model != MODELS["digits CNN"]:
        return Found(None, {"skipped": "processes take seconds to start"})
    context = multiprocessing.get_context("spawn")
    batch, steps = setup.size(BATCH, 4), setup.size(100, 1)
    for count in setup.size(tuple(n for n in COUNTS if n <= MOST_PROCESSES), (1,)):
        if setup.left_s <= 0:
            break
        ready, done = context.Barrier(count + 1), context.Barrier(count + 1)
        arguments = (model, batch, steps, setup.device, ready, done)
        workers = [
            context.Process(target=train_in_process, args=arguments, daemon=True)
            for _ in range(count)
        ]
        for worker in workers:
            worker.start()
        ready.wait(START_S)
        start = time.perf_counter()
        done.wait(START_S)
        numbers[f"{count} processes"] = 1e3 * (time.perf_counter() - start) / steps
        for worker in workers:
            worker.join()
    return Found(None, numbers)


CASES = {
    **{f"equal, {name}": partial(equal, model) for name, model in MODELS.items()},
    **{f"ms a step, {name}": partial(speed, model) for name, model in MODELS.items()},
    **{
        f"ms a step, {name}, processes": partial(processes, model) for name, model in MODELS.items()
    },
}
