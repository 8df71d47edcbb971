"""``make compare-models``: what backbone, input size and number format cost and give, for docs/measurements/models.md.

1. *Backbones.* What ImageNet's network, untouched, makes of every photo of ``train`` and ``val`` is computed once for
   each backbone and size, by LiteRT in float32 on one thread, on the plain photo. On these features a head is fitted
   for each task by the functions of the trainer (``head.fit``: the penalty is chosen on ``val``, among three), and
   judged on ``val``: accuracy and the log loss that is left after calibration. The trainer fits its head on random
   views and empty slots too, and weighs the labels by how many it shows of each; here are plain photos only.
2. *Formats.* EfficientNet-Lite0 at 224 px under the heads of both tasks, as one network of six numbers, in four number
   formats; what each answers about the photos of ``val``. Full int8 takes its ranges from 150 photos of ``train``.

Times are those that the processor worked on one call in one thread, not those that passed, for other programs may run;
the networks are asked in turns, and the median is taken. Features are kept (``--cache``): a run that was interrupted
goes on where it stopped. Markdown goes to stdout, progress to stderr.
"""

import argparse
import math
import os
import random
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn

from providers.base import LABELS, TASKS, ProviderMisconfigured, Task
from providers.local_cnn import backbone
from providers.local_cnn.backbone import Variant
from providers.local_cnn.runtime import Extractor
from providers.local_cnn.training import head, quantization, trainer
from providers.local_cnn.training.head import Floats, Head
from providers.local_cnn.training.hyperparameters import Hyperparameters
from providers.local_cnn.training.training_set import smoothed
from tools.frozen_features import Classes, FeaturePhotos, Features, Records, noise, signature
from tools.labelled_photos import DATA, need
from triof.common.errors import TriofError
from triof.datasets import corrections
from triof.datasets.photo_dataset import LabelledPhoto

FORMATS = ("float32", "float16", "int8 weights", "int8")
"""The third one computes in float32 or int8 as each operation likes; the last one in int8 alone."""
REPRESENTATIVE = 150
_MEGABYTES = ("MB float32", "MB float16", "MB int8")
SMOOTHING = Hyperparameters().label_smoothing


@dataclass(frozen=True)
class ComparedNetwork:
    """A line of the first table."""

    variant: Variant
    side: int

    @property
    def family(self) -> str:
        """Without what all have in common."""
        return self.variant.name.removeprefix("efficientnet_")

    @property
    def name(self) -> str:
        """As it is called on the command line."""
        return f"{self.family}@{self.side}"


REFERENCE = ComparedNetwork(backbone.LITE0, backbone.LITE0.side)
CANDIDATES = (
    *(ComparedNetwork(backbone.LITE0, side) for side in (128, 160, 192, backbone.LITE0.side, 240, 256)),
    *(ComparedNetwork(variant, variant.side) for variant in (backbone.LITE1, backbone.LITE2)),
)


@dataclass(frozen=True)
class HeadMetrics:
    """A head on ``val``."""

    accuracy: float
    loss: float
    photos: int

    @classmethod
    def of(cls, logits: Floats, classes: Classes) -> Self:
        """By its logits."""
        hits = logits.argmax(axis=1) == classes
        return cls(float(hits.mean()), head.calibrated_loss(logits, classes), len(classes))

    @property
    def doubt(self) -> float:
        """One standard error of the accuracy."""
        return math.sqrt(self.accuracy * (1 - self.accuracy) / self.photos)

    @property
    def cells(self) -> tuple[str, str]:
        """Of a table."""
        return f"{self.accuracy:.1%}", f"{self.loss:.3f}"


class Networks:
    """ImageNet's networks, each built once."""

    def __init__(self, labels: int) -> None:
        self._labels = labels
        self._built: dict[str, Any] = {}
        self._extractors: dict[ComparedNetwork, Extractor] = {}

    def whole(self, variant: Variant) -> Any:
        """For photos of any size, under a head yet to fit. Raises ProviderMisconfigured where weights are missing."""
        if variant.name not in self._built:
            self._built[variant.name] = trainer.build_model(self._labels, variant.name)
        return self._built[variant.name]

    def extractor(self, candidate: ComparedNetwork) -> Extractor:
        """Photo to features. Raises ProviderMisconfigured."""
        if candidate not in self._extractors:
            features = trainer.features_of(self.whole(candidate.variant))
            self._extractors[candidate] = Extractor(trainer.convert(features, candidate.side))
        return self._extractors[candidate]


class NetworkComparison:
    """What both tables need."""

    def __init__(
        self, photos: FeaturePhotos, tasks: Sequence[Task], cache: Path, rounds: int, progress: Progress
    ) -> None:
        self.photos, self.tasks, self._cache, self._rounds, self._progress = photos, tasks, cache, rounds, progress
        self.networks = Networks(sum(len(LABELS[task]) for task in tasks))
        self._heads: dict[ComparedNetwork, dict[Task, tuple[Head, HeadMetrics]]] = {}

    def heads(self, candidate: ComparedNetwork) -> dict[Task, tuple[Head, HeadMetrics]]:
        """The head of each task on the features of ``candidate``, and how it does on ``val``."""
        if candidate not in self._heads:
            features = self._features(candidate)
            bar = self._progress.track(self.tasks, description=f"{candidate.name}: fitting heads")
            self._heads[candidate] = {task: self._fitted(task, features) for task in bar}
        return self._heads[candidate]

    def judged(self, candidate: ComparedNetwork) -> dict[Task, HeadMetrics]:
        """How those heads do on ``val``."""
        return {task: judged for task, (_, judged) in self.heads(candidate).items()}

    def milliseconds(self, extractors: Mapping[str, tuple[Extractor, int]]) -> dict[str, float]:
        """The median of one call of each, of those that get photos of so many pixels."""
        inputs = {name: noise(side) for name, (_, side) in extractors.items()}
        taken: dict[str, list[float]] = {name: [] for name in extractors}
        for turn in self._progress.track(range(self._rounds + 2), description="taking times"):
            for name, (extractor, _) in extractors.items():
                started = time.thread_time()
                extractor(inputs[name])
                if turn >= 2:  # what is asked for the first time finds cold caches
                    taken[name].append(time.thread_time() - started)
        return {name: 1000 * median(times) for name, times in taken.items()}

    def steps(self, items: Sequence[LabelledPhoto], side: int, what: str) -> Iterator[tuple[LabelledPhoto, Floats]]:
        """The photos ready to be asked about, with a bar."""
        return self.photos.scaled(self._progress.track(items, len(items), description=what), side)

    def _features(self, candidate: ComparedNetwork) -> Features:
        extractor = self.networks.extractor(candidate)
        mark, size = signature(extractor, candidate.side)
        records = Records(self._cache / f"{candidate.name}-{mark}.features", size)
        missing = [item for item in self.photos.items if self.photos.digest(item) not in records.known]
        for item, pixels in self.steps(missing, candidate.side, f"{candidate.name}: looking at photos"):
            records.add(self.photos.digest(item), extractor(pixels)[0])
        return records.known

    def _fitted(self, task: Task, features: Features) -> tuple[Head, HeadMetrics]:
        seen, classes = self.photos.examples(task, "train", features)
        val, val_classes = self.photos.examples(task, "val", features)
        labels = len(LABELS[task])
        weights = balance(np.bincount(classes, minlength=labels))[classes]
        fitted = head.fit(seen, smoothed(classes, labels, SMOOTHING), weights, val, val_classes)
        return fitted, HeadMetrics.of(fitted.logits(val), val_classes)


def backbones(comparison: NetworkComparison, candidates: Sequence[ComparedNetwork]) -> Iterator[str]:
    """The lines of the first table."""
    extractors = {REFERENCE: comparison.networks.extractor(REFERENCE)}
    for candidate in candidates:
        # All lines but those whose weights are missing: the reference's, and so TensorFlow itself, are there.
        with suppress(ProviderMisconfigured):
            extractors[candidate] = comparison.networks.extractor(candidate)
            comparison.heads(candidate)
    times = comparison.milliseconds({each.name: (extractor, each.side) for each, extractor in extractors.items()})
    found = [each for each in candidates if each in extractors]
    sizes = {variant: _sizes(comparison.networks.whole(variant)) for variant in {each.variant for each in found}}
    judged_titles = _judged_titles(comparison.tasks)
    yield from _titles("backbone", "px", *judged_titles, "ms", "ratio", "million parameters", *_MEGABYTES)
    for each in candidates:
        named = f"EfficientNet-{each.family.title()}", str(each.side)
        if each not in extractors:
            reason = f"{each.variant.package.replace('_', '-')} is not installed"
            yield _line(*named, reason, *[""] * (len(judged_titles) + len(_MEGABYTES) + 2))
            continue
        judged = [cell for judged in comparison.judged(each).values() for cell in judged.cells]
        ratio = times[each.name] / times[REFERENCE.name]
        yield _line(*named, *judged, f"{times[each.name]:.1f}", f"{ratio:.2f}", *sizes[each.variant])
    yield f"\n`ratio`: to the time of {REFERENCE.name} in the same run.{_doubts(comparison, found)}"


def formats(comparison: NetworkComparison) -> Iterator[str]:
    """The lines of the second table."""
    models = _in_every_format(comparison)
    extractors = {name: Extractor(model) for name, model in models.items()}
    asked = []
    logits: dict[str, list[Floats]] = {name: [] for name in FORMATS}
    for item, pixels in comparison.steps(comparison.photos.of("val"), REFERENCE.side, "asking in every format"):
        asked.append(item)
        for name, extractor in extractors.items():
            logits[name].append(extractor(pixels)[0])
    times = comparison.milliseconds({name: (extractor, REFERENCE.side) for name, extractor in extractors.items()})
    tasks = comparison.tasks
    yield from _titles("format", *_judged_titles(tasks), *(f"{task} as float32" for task in tasks), "ms", "ratio", "MB")
    for name in FORMATS:
        cells = judged_cells(np.stack(logits[name]), np.stack(logits["float32"]), asked, tasks)
        ratio = times[name] / times["float32"]
        yield _line(name, *cells, f"{times[name]:.1f}", f"{ratio:.2f}", f"{len(models[name]) / 1e6:.1f}")
    yield f"\n`as float32`: the share of {len(asked)} photos of `val` that get the same label. `ratio`: to float32."


def _in_every_format(comparison: NetworkComparison) -> dict[str, bytes]:
    """The reference under the fitted heads of all tasks, side by side."""
    photos = comparison.photos
    heads = [fitted for fitted, _ in comparison.heads(REFERENCE).values()]
    whole = comparison.networks.whole(REFERENCE.variant)
    kernel, bias = np.hstack([each.kernel for each in heads]), np.concatenate([each.bias for each in heads])
    whole.get_layer("head").set_weights([kernel, bias])
    train = random.Random(0).sample(photos.of("train"), min(REPRESENTATIVE, len(photos.of("train"))))

    steps = comparison.steps(train, REFERENCE.side, "showing int8 its ranges")
    seen = (pixels for _, pixels in steps)
    return {name: converted(whole, REFERENCE.side, name, seen) for name in FORMATS}


def balance(counts: NDArray[np.integer]) -> Floats:
    """The weight of each label: the square root of full balance, lest a few noisy photos of a rare one rule."""
    known = np.maximum(counts, 1)
    weights: Floats = np.sqrt(known.sum() / (len(known) * known)).astype(np.float32)
    return weights


def converted(model: Any, side: int, format_: str, seen: Iterable[Floats] = ()) -> bytes:
    """The network for LiteRT, with float32 at both ends, in one of FORMATS; int8 takes its ranges from ``seen``."""
    if format_.startswith("float"):
        return trainer.convert(model, side, half_precision=format_ == "float16")
    converter = trainer.converter(model, side)
    if format_ == "int8":
        return quantization.quantized(converter, seen)
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return bytes(converter.convert())


def main() -> int:
    asked = _arguments()
    need(asked.data)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # what TensorFlow says of itself tears the bars apart
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    try:
        photos = FeaturePhotos(_items(asked, console), console)
        tables = []
        with Progress(*columns, console=console, redirect_stdout=False) as progress:
            comparison = NetworkComparison(photos, asked.tasks, asked.cache, asked.rounds, progress)
            if candidates := [each for each in CANDIDATES if not asked.only or each.name in asked.only]:
                tables.append([*backbones(comparison, candidates)])
            if not asked.only or "formats" in asked.only:
                tables.append([*formats(comparison)])
    except (TriofError, ProviderMisconfigured, OSError) as error:
        console.print(str(error), style="red", soft_wrap=True, markup=False)
        return 1
    except KeyboardInterrupt:
        console.print(f"Interrupted; what was computed is kept in {asked.cache}.", soft_wrap=True, markup=False)
        return 130
    print("\n\n".join("\n".join(lines) for lines in tables))
    return 0


def _items(asked: Any, console: Console) -> list[LabelledPhoto]:
    dataset = corrections.mended(asked.data, asked.corrections)
    for sentence in dataset.remarks:
        console.print(sentence, soft_wrap=True, markup=False)
    items = [item for item in dataset.photos if item.split != "test" and set(asked.tasks) & set(item.labels)]
    return random.Random(0).sample(items, asked.limit) if asked.limit and asked.limit < len(items) else items


def _sizes(whole: Any) -> list[str]:
    """Millions of parameters, and megabytes in three formats."""
    models = (converted(whole, REFERENCE.side, format_) for format_ in FORMATS[:3])
    return [f"{whole.count_params() / 1e6:.1f}", *(f"{len(model) / 1e6:.1f}" for model in models)]


def judged_cells(logits: Floats, plain: Floats, asked: Sequence[LabelledPhoto], tasks: Sequence[Task]) -> list[str]:
    """Of each task accuracy and loss, then of each task the agreement with ``plain``."""
    judged: list[str] = []
    same: list[str] = []
    start = 0
    for task in tasks:
        part = slice(start, start := start + len(LABELS[task]))
        known = [index for index, item in enumerate(asked) if task in item.labels]
        classes = np.array([LABELS[task].index(asked[index].labels[task]) for index in known], np.int64)
        judged += HeadMetrics.of(logits[known, part], classes).cells
        agreed = logits[:, part].argmax(axis=1) == plain[:, part].argmax(axis=1)
        same.append(f"{agreed.mean():.1%}")
    return [*judged, *same]


def _doubts(comparison: NetworkComparison, found: Sequence[ComparedNetwork]) -> str:
    """How much of an accuracy is chance, by the first line."""
    if not found:
        return ""
    doubts = (
        f"{100 * judged.doubt:.1f} points for {task} ({judged.photos} photos of `val`)"
        for task, judged in comparison.judged(found[0]).items()
    )
    return f" One standard error of an accuracy is about {' and '.join(doubts)}."


def _judged_titles(tasks: Sequence[Task]) -> list[str]:
    return [f"{task} {what}" for task in tasks for what in ("accuracy", "log loss")]


def _titles(*cells: str) -> Iterator[str]:
    yield _line(*cells)
    yield "|" + "---|" * len(cells)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _arguments() -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA, help="a manifest.csv or a folder")
    parser.add_argument("--corrections", type=Path, help="labels that people changed")
    parser.add_argument("--tasks", choices=TASKS, nargs="+", default=TASKS)
    names = [*(each.name for each in CANDIDATES), "formats"]
    parser.add_argument("--only", choices=names, nargs="+", help="these lines; formats: the second table")
    parser.add_argument("--limit", type=int, help="so many photos at random, to try it out")
    parser.add_argument("--rounds", type=int, default=100, help="calls of each network, for its time")
    parser.add_argument("--cache", type=Path, default=Path("runs/features"), help="where features are kept")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
