"""What benchmarks of a student's step and its teachers are asked on the command line."""

import argparse

import torch
from one_line_parser import OneLineParser, add_json_option

from metakd.models.create import create_model
from metakd.models.names import ModelError

IMAGE_SHAPE, CLASSES = (3, 32, 32), 100


def step_parser(description: str) -> OneLineParser:
    """Returns the parser of what all of them are asked.

    Args:
        description: What the benchmark does, in one line.
    """
    parser = OneLineParser(description=description)
    add = parser.add_argument
    add("--student", default="cifar_resnet8x4", help="default %(default)s")
    add("--teacher", default="cifar_resnet32x4", help="default %(default)s")
    add("--batch", type=int, default=64, help="default %(default)s")
    add("--rounds", type=int, default=3, help="default %(default)s")
    add("--device", choices=("cpu", "cuda"), default="cpu")
    add("--threads", type=int, default=1, help="of PyTorch on a CPU, default %(default)s")
    add_json_option(parser)
    return parser


def checked_options(parser: OneLineParser) -> argparse.Namespace:
    """Returns the options, or ends the process with one line about what cannot be."""
    options = parser.parse_args()
    if options.batch < 2 or min(options.rounds, options.threads) < 1:
        parser.error("--batch must be at least 2, --rounds and --threads at least 1")
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: PyTorch sees no GPU here")
    for model in (options.student, options.teacher):
        try:
            create_model(model, IMAGE_SHAPE, CLASSES, seed=0)
        except ModelError as error:
            parser.error(str(error))
    return options


def measured_with(options: argparse.Namespace) -> dict[str, object]:
    """Returns what of the options and the device a result keeps."""
    return {
        **{name: getattr(options, name) for name in ("student", "teacher", "batch", "threads")},
        "device": options.device,
        "gpu": torch.cuda.get_device_name() if options.device == "cuda" else None,
    }
