"""``make leave-one-out``: how a training does on sources that it never saw (docs/measurements/models.md).

Each fold leaves some sources out of the training, and the network is asked about their photos of ``train`` and ``val``
(``test`` is for the report of what ships, by ``triof evaluate --by source``). Related sources share a fold, as a
network that has learned one of them has nearly seen the others:

- ``homes``: eco22, eco23 and home are the rooms of the same homes by the same telephones;
- ``trays``: mealtray and triof-oph show items on trays and tables of a canteen or a prototype, with hands;
- ``belt``: conveyor;
- ``stock``: wastestock;
- ``table``: trashnet, trashnet-plastic and trashnet-trash lie on one grey table.

``web`` is always learned, for it alone has cutlery and dirt enough.

Temperature and thresholds of a fold are those of the other folds together, so that they too never saw its sources;
those of all folds are written to ``calibration.json`` for ``triof train --calibration``. A fold that is done is kept
in ``--out``, and one that was interrupted goes on after its last epoch, when the same command is given again; two
commands with other folds (``--only``) may run at the same time. ``--short`` has smaller pictures and fewer views, for
choosing a recipe. ``--ask`` trains nothing and asks finished bundles about the sources that they have not
``--learned``, which gives them a calibration by sources that are new to them; ``--as-is`` judges them by their own.
"""

import argparse
import hashlib
import json
import os
import pickle
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from rich.console import Console
from rich.progress import Progress

from providers.base import LABELS, TASKS, ProviderMisconfigured, Task
from providers.local_cnn import calibration
from providers.local_cnn.bundle import Bundle, counted_to, load, validation_errors
from providers.local_cnn.runtime import Runtime
from providers.local_cnn.training import training_set
from providers.local_cnn.training.hyperparameters import Hyperparameters
from providers.local_cnn.training.trainer import Part, train
from providers.local_cnn.training.training_set import Pictures
from providers.local_cnn.training.tuning import Checkpoint
from tools.labelled_photos import DATA, need
from triof.cli.shared.source_tables import print_parts
from triof.cli.train import Bars
from triof.common.errors import TriofError
from triof.datasets import corrections, photo_dataset, training_photos
from triof.datasets.photo_dataset import Dataset, LabelledPhoto
from triof.evaluation import by_source
from triof.settings.sections.photo import DEFAULT_LIMITS
from triof.settings.sections.policy import Policy

FOLDS: Mapping[str, tuple[str, ...]] = {
    "homes": ("eco22", "eco23", "home"),
    "trays": ("mealtray", "triof-oph"),
    "belt": ("conveyor",),
    "stock": ("wastestock",),
    "table": ("trashnet", "trashnet-plastic", "trashnet-trash"),
}
SHORT = {"train_side": 128, "input_side": 160, "epochs": 4}
_USED_SPLITS: tuple[Part, ...] = ("train", "val")
_TIMEOUT = 30.0
_MOST_UNFAMILIAR = 100.0
"""Times the distance of what is unfamiliar; no photo is so far away, so that none is asked about for that."""


@dataclass(frozen=True)
class Answers:
    """What the network of a fold says of the photos that it was not shown."""

    names: tuple[str, ...]
    logits: Mapping[Task, training_set.Floats]
    """(n, numbers)."""
    labels: Mapping[Task, tuple[str, ...]]
    """What each number stands for."""
    unfamiliarity: training_set.Floats
    """(n,): from 1 on a photo is unfamiliar; 0 of networks that tell no distance."""

    def save(self, path: Path) -> None:
        """Raises OSError."""
        fresh = path.with_name(f".{path.name}")
        with fresh.open("wb") as file:
            arrays: dict[str, Any] = {"names": np.array(self.names), "unfamiliarity": self.unfamiliarity}
            for task, logits in self.logits.items():
                arrays |= {task: logits, f"{task}_labels": np.array(self.labels[task])}
            np.savez(file, allow_pickle=False, **arrays)
        fresh.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Answers":
        """Raises OSError."""
        with np.load(path, allow_pickle=False) as file:
            labels = {task: tuple(map(str, file[f"{task}_labels"])) for task in TASKS}
            logits = {task: file[task] for task in TASKS}
            return cls(tuple(map(str, file["names"])), logits, labels, file["unfamiliarity"])

    def probabilities(self, task: Task, temperature: float) -> training_set.Floats:
        """Of the task's labels in the order of LABELS: (n, labels)."""
        found = calibration.softmax(self.logits[task], temperature, counted_to(task, self.labels[task]))
        return found.astype(np.float32)


def folds_of(items: Sequence[LabelledPhoto], learned: Collection[str] = ("web",)) -> dict[str, tuple[str, ...]]:
    """Of FOLDS those of which ``items`` have photos; a fold for each other source that is not always ``learned``."""
    known = {item.source for item in items} - {"", *learned}
    related = {name: tuple(sorted(known & set(sources))) for name, sources in FOLDS.items()}
    others = known - {source for sources in FOLDS.values() for source in sources}
    return {name: sources for name, sources in related.items() if sources} | {name: (name,) for name in sorted(others)}


class Trainings:
    """The trainings of one recipe on one data set, kept in a folder of their own."""

    def __init__(
        self,
        dataset: Dataset,
        hyperparameters: Hyperparameters,
        out: Path,
        progress: Progress,
        *,
        start: Bundle | None = None,
        finished: Sequence[Bundle] = (),
    ) -> None:
        """Where there are ``finished`` bundles they are asked, and nothing is trained. Raises OSError."""
        self._dataset, self._hyperparameters, self._start, self._bars = dataset, hyperparameters, start, Bars(progress)
        self.items = [item for item in dataset.photos if item.labels and item.split != "test"]
        fingerprint = photo_dataset.fingerprint(self.items)[:12]
        self._finished = tuple(finished)
        begun = " ".join(bundle.card.version for bundle in finished) or (start.card.version if start else "ImageNet")
        identity = hashlib.sha256(f"{hyperparameters.model_dump_json()}|{begun}".encode()).hexdigest()[:12]
        self.folder = out / f"{fingerprint}-{identity}"
        """Of what is kept."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._file = out / f"{fingerprint}.pickle"
        self._photos: dict[Part, Pictures] = {}

    def answers(self, name: str, left_out: Sequence[str], *, only_kept: bool) -> Answers | None:
        """Those of a fold, from the last time or of a training now; None for one that is not kept, if told so."""
        kept = self.folder / f"{name}.npz"
        if kept.is_file():
            return Answers.load(kept)
        if only_kept:
            return None
        found = self._asked(self._finished or [self._trained(name, left_out)], left_out)
        found.save(kept)
        return found

    def _trained(self, name: str, left_out: Sequence[str]) -> Bundle:
        photos: dict[Part, Pictures] = {
            split: shown.those(~np.isin(shown.sources, left_out)) for split, shown in self._read().items()
        }
        checkpoint = Checkpoint(self.folder / f"{name}-unfinished.npz")

        def show(stage: str, done: int, total: int) -> None:
            self._bars.show(f"{name}: {stage}", done, total)

        trained = train(TASKS, photos, self._hyperparameters, checkpoint, show, start=self._start)
        checkpoint.clear()
        return Bundle(self.folder, trained.card, trained.model)

    def _asked(self, bundles: Sequence[Bundle], left_out: Sequence[str]) -> Answers:
        asked = [item for item in self.items if item.source in left_out]
        side = max(bundle.card.input.width for bundle in bundles)
        runtimes = [(bundle.card, Runtime(bundle)) for bundle in bundles]
        names: list[str] = []
        distances: list[float] = []
        logits: dict[Task, list[Any]] = {task: [] for task in TASKS}
        for item, photo in photo_dataset.decode(asked, DEFAULT_LIMITS, needed_side=side, unreadable=[]):
            names.append(self._dataset.name(item))
            self._bars.show(f"asking about {' '.join(left_out)}", len(names), len(asked))
            unfamiliarity = 0.0
            for card, runtime in runtimes:
                answer = runtime.ask(photo.resized(card.input.width, card.input.height), timeout=_TIMEOUT)
                for task, outputs in answer.outputs.items():
                    logits[task].append(outputs)
                if answer.unfamiliarity is not None and card.unfamiliar_from:
                    unfamiliarity = max(unfamiliarity, answer.unfamiliarity / card.unfamiliar_from)
            distances.append(unfamiliarity)
        labels = {each.task: each.labels for bundle in bundles for each in (bundle.card, *bundle.card.also)}
        arrays = {task: np.array(rows, np.float32) for task, rows in logits.items()}
        return Answers(tuple(names), arrays, labels, np.array(distances, np.float32))

    def _read(self) -> dict[Part, Pictures]:
        """All photos, cut out once for all folds."""
        if not self._photos and self._file.is_file():
            self._photos = pickle.loads(self._file.read_bytes())
        if not self._photos:
            for split in _USED_SPLITS:
                show = partial(self._bars.show, f"reading {split}")
                self._photos[split] = training_photos.read(
                    TASKS, self._dataset, split, DEFAULT_LIMITS, on_photo=show, unreadable=[]
                )
            self._file.write_bytes(pickle.dumps(self._photos))
        return self._photos


def calibrated(
    answers: Sequence[Answers], items: Mapping[str, LabelledPhoto], hyperparameters: Hyperparameters
) -> dict[Task, dict[str, Any]]:
    """Temperature and thresholds of each task by photos that were left out."""
    found: dict[Task, dict[str, Any]] = {}
    for task, labels in LABELS.items():
        names = [name for fold in answers for name in fold.names]
        logits = np.concatenate([fold.logits[task] for fold in answers])
        known = np.array([task in items[name].labels for name in names], bool)
        if not known.any():
            found[task] = {"temperature": 1.0, "thresholds": {}}
            continue
        classes = np.array([labels.index(items[name].labels[task]) for name in np.array(names)[known]], np.int64)
        columns = counted_to(task, answers[0].labels[task])
        temperature = calibration.fit_temperature(logits[known], classes, columns)
        scores = calibration.softmax(logits[known], temperature, columns)
        thresholds = calibration.fit_thresholds(scores, classes, labels, hyperparameters.costs)
        found[task] = {"temperature": round(temperature, 4), "thresholds": thresholds}
    found["waste_type"]["unfamiliar"] = _unfamiliar(answers, items, hyperparameters, found)
    return found


def _unfamiliar(
    answers: Sequence[Answers],
    items: Mapping[str, LabelledPhoto],
    hyperparameters: Hyperparameters,
    cards: Mapping[Task, Any],
) -> float:
    """How many times the distance of what ``val`` finds unfamiliar a photo must have, so that asking costs least."""
    sure = [
        (float(distance), one.is_wrongly_accepted)
        for fold in answers
        for one, distance in zip(_judged(fold, items, cards, None), fold.unfamiliarity, strict=True)
        if one.verdict.action == "accept" and one.right_type
    ]
    tried: list[float] = sorted({distance for distance, _ in sure if distance > 0} | {_MOST_UNFAMILIAR})

    def cost(start: float) -> float:
        asked = sum(distance >= start for distance, _ in sure)
        return hyperparameters.costs.ask * asked + hyperparameters.costs.wrong_accept * sum(
            is_wrong for distance, is_wrong in sure if distance < start
        )

    best: float = min(tried, key=cost)
    return round(best, 4)


def judged(
    answers: Mapping[str, Answers],
    items: Mapping[str, LabelledPhoto],
    hyperparameters: Hyperparameters,
    own: Mapping[Task, Mapping[str, Any]] | None = None,
) -> Iterator[by_source.JudgedPhoto]:
    """The verdicts on the photos of each fold, calibrated by the other folds or as ``own`` says."""
    for name, fold in answers.items():
        others = [other for key, other in answers.items() if key != name] or [fold]
        cards = own or calibrated(others, items, hyperparameters)
        yield from _judged(fold, items, cards, cards["waste_type"].get("unfamiliar", 1.0))


def _judged(
    fold: Answers, items: Mapping[str, LabelledPhoto], cards: Mapping[Task, Any], unfamiliar: float | None
) -> list[by_source.JudgedPhoto]:
    distances = fold.unfamiliarity / unfamiliar if unfamiliar else None
    said = {
        task: by_source.predictions(task, fold.probabilities(task, card["temperature"]), card["thresholds"], distances)
        for task, card in cards.items()
    }
    return by_source.judge([items[found] for found in fold.names], said, Policy())


def summary(parts: Sequence[by_source.SourceFigures]) -> Iterator[str]:
    """The mean over sources of each figure, the worst one, and that of all photos together, in Markdown."""
    low = ("type over plastic", "foreign called other", "foreign not accepted", by_source.MODELS[3])
    yield "| on sources left out of training | mean | worst | | all photos |"
    yield "|---|---|---|---|---|"
    together = {part.name: part for part in parts}[by_source.ALL].figures
    for title in (*by_source.MODELS, *by_source.MACHINE):
        found = {
            part.name: part.figures[title].value
            for part in parts
            if part.name != by_source.ALL and title in part.figures
        }
        if found:
            worst = (min if title in low else max)(found, key=found.__getitem__)
            mean, every = np.mean(list(found.values())), together[title].value
            yield f"| {title} | {mean:.3f} | {found[worst]:.3f} | {worst} | {every:.3f} |"


def main() -> int:
    asked = _arguments()
    need(asked.data)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # what TensorFlow says of itself tears the bars apart
    console = Console(stderr=True)
    try:
        hyperparameters = _hyperparameters(asked)
        dataset = corrections.mended(asked.data, asked.corrections)
        with Progress(console=console, redirect_stdout=False) as progress:
            start = load(asked.start) if asked.start else None
            finished = [load(folder) for folder in asked.ask]
            trainings = Trainings(dataset, hyperparameters, asked.out, progress, start=start, finished=finished)
            answers = {
                name: found
                for name, sources in folds_of(trainings.items, asked.learned).items()
                if (found := trainings.answers(name, sources, only_kept=bool(asked.only) and name not in asked.only))
            }
        items = {dataset.name(item): item for item in trainings.items}
        if not answers:
            sys.exit("Nothing is kept of these folds: leave out --only, or name some of them.")
        own = {
            each.task: {"temperature": each.temperature, "thresholds": each.thresholds}
            for bundle in finished
            for each in (bundle.card, *bundle.card.also)
        }
        parts = by_source.measure(list(judged(answers, items, hyperparameters, own if asked.as_is else None)))
        (trainings.folder / "calibration.json").write_text(
            json.dumps(calibrated(list(answers.values()), items, hyperparameters), indent=2) + "\n", encoding="utf-8"
        )
    except (TriofError, ProviderMisconfigured, OSError) as error:
        console.print(str(error), style="red", soft_wrap=True, markup=False)
        return 1
    except KeyboardInterrupt:
        console.print(f"Interrupted; what is done is kept in {asked.out}.", soft_wrap=True, markup=False)
        return 130
    print_parts(parts, Console())
    print("\n".join(summary(parts)))
    console.print(f"Temperature and thresholds: {trainings.folder / 'calibration.json'}", soft_wrap=True, markup=False)
    return 0


def _hyperparameters(asked: argparse.Namespace) -> Hyperparameters:
    given = dict(SHORT) if asked.short else {}
    given |= dict(other.split("=", 1) for other in asked.recipe)
    try:
        return Hyperparameters.model_validate(given)
    except ValidationError as error:
        sys.exit(f"The recipe is wrong: {validation_errors(error)}.")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA / "all.csv")
    parser.add_argument("--corrections", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/leave-one-out"))
    parser.add_argument("--ask", type=Path, nargs="+", default=[], metavar="BUNDLE", help="train nothing, ask these")
    parser.add_argument("--as-is", action="store_true", help="with the temperature and thresholds of --ask's bundles")
    parser.add_argument("--learned", nargs="+", default=["web"], metavar="SOURCE", help="never left out; default: web")
    parser.add_argument("--start", type=Path, help="a bundle to go on from, which must not know what is left out")
    parser.add_argument("--short", action="store_true", help="smaller pictures and fewer views")
    parser.add_argument("--only", nargs="+", metavar="FOLD", help="train these folds, and take what is kept of others")
    parser.add_argument("--recipe", nargs="+", default=[], metavar="NAME=VALUE", help="other numbers of the recipe")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
