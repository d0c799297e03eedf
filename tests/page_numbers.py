"""Which numbers a page shows, and whether they stand in ``summary.json``.

A number stands there if a value of the summary, or a number in one of its texts, is written like
that: rounded to as many decimals, or to two or three digits; a share as per cent; seconds as
minutes. What is written without decimals and is no share has to stand there exactly.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

import numpy as np

from metakd.dashboards.formats import duration, percent

# Digits inside a word are a name: "resnet56", "t0".
NUMBER = re.compile(r"(?<![\w.])[+−-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?(?![\d\w])")
LASTING = re.compile(r"(?<![\w.])(?:[\d,]+ h \d+ min|[\d,]+ h|\d+ min(?: \d+ s)?)(?!\w)")
# Numbers on a page that say nothing of its study, in the words that they stand in.
NO_STATISTIC = {
    "how intervals and tests are made": r"95 % (?:t )?(?:interval|band)|80 % of (?:the )?orders|"
    r"below 5 %|at most 5 %|5 % level|power 80 %|8 times in 10|middle 90 %|below 3\b|< 0\.001",
    "what is too small to show": r"below 0\.05 points either way|shade around 0\b",
    "where learned temperatures are kept": r"\[0\.25, 64\]",
    "what a plain run costs, by definition": r"\b1 run\b|elsewhere 1,",
    "numbers of figures, parts and columns": r"[Ff]igure \d+|part \d+|best of \d+",
    "how much is drawn": r"(?:for|each of|along) \d+ (?:settings?|teachers|augmentations)|"
    r"\d+ settings by \d+|in \d+ panels?|over \d+ combinations|lists (?:up to )?\d+",
    "dates": r"\d{1,2} [A-Z][a-z]+ \d{4}|T\d\d:",
    "papers": r"arXiv \d+\.\d+",
}
# What is read by a browser alone.
UNSEEN = ("script", "style")
WRITTEN_IN = ("name", "text")
# Which axes of a figure are places and no numbers: rows, cells, levels side by side.
GEOMETRY = {
    "differences": "y",
    "transfer": "xy",
    "classes": "xy",
    "teachers": "x",
    "augmentations": "x",
}
# Likewise of single traces: at zero by definition, or at the edge of the frame.
PLACES = {
    ("this report", "y"),
    ("validation's choice", "y"),
    ("equal share", "x"),
    ("grid's best fixed τ", "x"),
}
Trace = dict[str, Any]
READ_ALOUD = ("aria-label", "title", "alt")


@dataclass(frozen=True)
class Shown:
    """A number as it is written, with the text that it stands in."""

    number: str
    is_share: bool
    text: str


class Known:
    """The numbers of a summary, as a page may write them."""

    def __init__(self, *summaries: dict[str, Any]) -> None:
        values, texts = [], []
        for summary in summaries:
            for value in _leaves(summary):
                (texts if isinstance(value, str) else values).append(value)
        self.values = np.unique(np.abs(np.array(values, dtype=float)))
        self.words = {shown.number for text in texts for shown in numbers_in(text)}
        self.words |= {word for text in texts for word in LASTING.findall(text)}
        self.lasting = {duration(value) for value in self.values}
        # A value that lies between two roundings may fall to either: the file has six decimals.
        near = np.unique(np.concatenate([self.values + by for by in (-6e-7, 0.0, 6e-7)]).clip(0))
        self.written = {f"{v:.{digits}f}" for v in near for digits in (1, 2, 3, 4)}
        self.written |= {f"{v:.3g}" for v in near} | {f"{v:.0f}" for v in self.values if v % 1 == 0}
        self.rough = {f"{v:.2g}" for v in near} | {f"{v:.0f}" for v in near if v >= 99.5}
        self.shares = {f"{s * v:.{d}f}" for v in near for s in (1, 100) for d in (0, 1, 2)}
        self.shares |= {f"{100 * v:.3g}" for v in near}
        self.shares |= {percent(v).removesuffix(" %") for v in self.values if v <= 1}

    def has(self, shown: Shown) -> bool:
        """Returns whether a shown number stands in the summary."""
        bare = shown.number.replace(",", "").lstrip("+−-")
        if shown.number in self.words or bare in self.words or bare in self.written:
            return True
        if shown.is_share:
            return bare in self.shares
        # Costs, factors and p values have two digits.
        return bare in self.rough and bool(re.search(r"×|run|time|p\b|e-|^0\.", shown.text))

    def has_value(self, value: float, scale: float = 1.0) -> bool:
        """Returns whether a drawn value, of which a page keeps six digits, stands in it."""
        at = np.searchsorted(self.values, abs(value) / scale)
        nearest = self.values[max(at - 1, 0) : at + 1]
        room = 1e-5 * abs(value) / scale + 1e-5
        return bool((np.abs(nearest - abs(value) / scale) <= room).any())


def numbers_in(text: str) -> Iterator[Shown]:
    """Yields the numbers in a text, but those of times of day and of versions."""
    for match in NUMBER.finditer(text):
        yield Shown(match[0], text[match.end() :].startswith((" %", "%")), text)


def texts_of(page: str) -> list[str]:
    """Returns what a reader sees or hears of a page, text by text; without what is no statistic.

    That is what ``NO_STATISTIC`` lists, the ticks of axes and the numbers that figures have.
    """
    reader = _Reader()
    reader.feed(page)
    return [without_constants(text) for text in reader.texts]


def without_constants(text: str) -> str:
    """Returns a text without what ``NO_STATISTIC`` lists."""
    text = re.sub(r"[ \n\u00a0]+", " ", text)
    for pattern in NO_STATISTIC.values():
        text = re.sub(pattern, " ", text)
    return text


def data_of(page: str) -> dict[str, Any]:
    """Returns the figures of a page, as their script reads them."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    figures: dict[str, Any] = json.loads(found[1])["figures"]
    return figures


def drawn_texts(traces: Iterable[Trace], layout: dict[str, Any]) -> Iterator[str]:
    """Yields what is written inside a figure: names, notes, labels of cells and of places.

    But for the ticks of axes of numbers.
    """
    found = [leaf for trace in traces for leaf in _leaves([trace.get(n, "") for n in WRITTEN_IN])]
    found += [note["text"] for note in layout.get("annotations", ())]
    for name, axis in layout.items():
        if name.startswith(("xaxis", "yaxis")):
            found.append(axis["title"]["text"])
            ticks = list(_leaves(axis.get("ticktext", "")))
            found += [tick for tick in ticks if not re.fullmatch(r"[\d.]+", tick)]
    yield from map(without_constants, found)


def drawn_values(figure: str, trace: Trace) -> Iterator[float]:
    """Yields what a trace draws of the study; of error bars their ends.

    Args:
        figure: Whose trace it is.
        trace: Of ``GEOMETRY`` nothing is yielded.
    """
    for axis in "xyz":
        if axis in GEOMETRY.get(figure, "") or (trace.get("name"), axis) in PLACES:
            continue
        values = [value for value in _leaves(trace.get(axis, [])) if not isinstance(value, str)]
        if figure == "profiles":
            # The curve begins below all losses and is drawn on to the edge.
            values = values[1:-1]
        yield from values
        if bars := trace.get(f"error_{axis}"):
            for at, up, down in zip(values, bars["array"], bars["arrayminus"], strict=True):
                yield from (at + up, at - down)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _leaves(item)
    elif value is not None and not isinstance(value, bool):
        yield value


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._tag, self._class = "", ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag, self._class = tag, dict(attrs).get("class") or ""
        self.texts += [value for name, value in attrs if name in READ_ALOUD and value]

    def handle_endtag(self, tag: str) -> None:
        self._tag, self._class = "", ""

    def handle_data(self, data: str) -> None:
        is_number = re.fullmatch(r"[+−-]?[\d.]+", data) is not None
        is_tick = self._tag == "text" and not self._class and is_number
        if self._tag not in UNSEEN and self._class != "disc" and not is_tick and data.strip():
            self.texts.append(data)
