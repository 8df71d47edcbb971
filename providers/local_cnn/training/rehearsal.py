"""What a bundle keeps so that a training which goes on from it does not forget (rehearsal; Hayes et al. 2020, REMIND).

For a few hundred of its photos a bundle has a row of numbers each: what the lowest blocks of its network make of the
photo (:func:`.backbone.halves`). A later training leaves those blocks as they are, so that the rows stay true for the
network before and after it. Rows of photos that were learned from are learned again beside the new photos; rows of
photos that were not (``val``) tell whether the network got worse on what it knew.

A photo is not stored: the data may not be published. From such features a blurred likeness of it can be computed
(Dosovitskiy and Brox 2016), so whoever may not have a likeness of the photos must not get the file either.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from zipfile import BadZipFile
from zlib import error as ZlibError  # noqa: N812

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from providers.base import TASKS, Task
from providers.local_cnn.bundle import Bundle, refused, rehearsal_of
from providers.local_cnn.training.familiarity import evenly
from providers.local_cnn.training.training_set import UNKNOWN, Batch, Classes, Floats

BLOCKS = 11
"""The rows are what so many blocks give: half the numbers of any lower cut, with five blocks left to learn."""
LEARNED = 192
"""Rows at most that are learned again."""
JUDGED = 256
"""Rows at most that judge. With those above the file has some 7 MB."""
_RUN = 64
"""So many numbers share a scale: those of a feature map are much larger than the averages beside them."""


@dataclass(frozen=True)
class Rows:
    """Numbers of photos in 8 bits, and what people say of each photo."""

    numbers: NDArray[np.int8]
    """(n, numbers)."""
    scales: NDArray[np.float16]
    """(n, numbers / _RUN, rounded up): what each number of a run is multiplied by."""
    classes: Mapping[Task, Classes]
    """(n,) for every task; UNKNOWN where nothing is said."""
    sources: Sequence[str]
    """Where each photo comes from; empty where nothing is said."""

    @classmethod
    def of(cls, rows: Floats, classes: Mapping[Task, Classes], sources: Sequence[str]) -> "Rows":
        """Round ``rows`` (n, numbers); ``classes`` may lack tasks."""
        runs = _in_runs(rows)
        scales = (np.abs(runs).max(axis=2) / 127).astype(np.float16)
        divisors = np.maximum(scales.astype(np.float32), np.finfo(np.float16).tiny)[:, :, None]
        rounded = np.clip(np.round(runs / divisors), -127, 127).astype(np.int8)
        unknown = np.full(len(rows), UNKNOWN, np.int64)
        by_task = {task: np.asarray(classes.get(task, unknown), np.int64) for task in TASKS}
        return cls(rounded.reshape(len(rows), -1)[:, : rows.shape[1]], scales, by_task, tuple(sources))

    def __len__(self) -> int:
        return len(self.numbers)

    def floats(self) -> Floats:
        """As the upper part of the network reads them: (n, numbers)."""
        scaled: Floats = _in_runs(self.numbers.astype(np.float32)) * self.scales.astype(np.float32)[:, :, None]
        return scaled.reshape(len(self), -1)[:, : self.numbers.shape[1]]

    def those(self, chosen: Sequence[int] | NDArray[np.int64]) -> "Rows":
        """The rows at the positions ``chosen``, in that order."""
        picked = np.asarray(chosen, np.int64)
        classes = {task: classes[picked] for task, classes in self.classes.items()}
        return Rows(self.numbers[picked], self.scales[picked], classes, [self.sources[index] for index in picked])

    def drawn(self, count: int, rng: Generator) -> Batch:
        """``count`` rows at random, none of them twice as long as there are others."""
        turns = -(-count // len(self))
        positions = np.concatenate([rng.permutation(len(self)) for _ in range(turns)])[:count]
        chosen = self.those(positions)
        return Batch(chosen.floats(), chosen.classes)

    def beside(self, others: "Rows", most: int) -> "Rows":
        """At most ``most`` of these rows and ``others`` of the same length, evenly by source and labels."""
        both = Rows(
            np.concatenate([self.numbers, others.numbers]),
            np.concatenate([self.scales, others.scales]),
            {task: np.concatenate([classes, others.classes[task]]) for task, classes in self.classes.items()},
            [*self.sources, *others.sources],
        )
        return both.those(evenly(kinds(both.sources, both.classes), most))

    def elsewhere(self, sources: Collection[str]) -> "Rows":
        """Those of other sources than ``sources``; all of them where there are no others."""
        others = [index for index, source in enumerate(self.sources) if source not in sources]
        return self.those(others) if others else self


@dataclass(frozen=True)
class RehearsalSet:
    """The rows of a bundle."""

    blocks: int
    """So many blocks made them."""
    learned_side: int
    """Pixels of the photos behind the rows to be learned again: those of the training's views."""
    judged_side: int
    """Pixels of the photos behind the rows that judge: those that the finished model reads."""
    learned: Rows
    judged: Rows

    def beside(self, others: "RehearsalSet") -> "RehearsalSet":
        """These and ``others``, made by the same blocks from photos of the same sizes; as many as a bundle keeps."""
        learned, judged = self.learned.beside(others.learned, LEARNED), self.judged.beside(others.judged, JUDGED)
        return RehearsalSet(self.blocks, self.learned_side, self.judged_side, learned, judged)

    @classmethod
    def of(cls, content: bytes) -> "RehearsalSet":
        """From ``rehearsal.npz``. Raises what NumPy and zipfile raise for anything else."""
        with np.load(BytesIO(content), allow_pickle=False) as file:
            blocks, learned_side, judged_side = map(int, file["made_with"])
            return cls(blocks, learned_side, judged_side, _rows(file, "learned"), _rows(file, "judged"))

    def to_bytes(self) -> bytes:
        """``rehearsal.npz``."""
        arrays: dict[str, Any] = {"made_with": np.array([self.blocks, self.learned_side, self.judged_side])}
        for name, rows in (("learned", self.learned), ("judged", self.judged)):
            arrays |= {f"{name}_numbers": rows.numbers, f"{name}_scales": rows.scales}
            arrays |= {f"{name}_sources": np.array(rows.sources, np.str_)}
            arrays |= {f"{name}_{task}": classes.astype(np.int8) for task, classes in rows.classes.items()}
        file = BytesIO()
        np.savez_compressed(file, allow_pickle=False, **arrays)
        return file.getvalue()


def load(bundle: Bundle) -> RehearsalSet | None:
    """The rows of ``bundle``; None for one without. Raises ProviderMisconfigured where they cannot be read."""
    content = rehearsal_of(bundle)
    if content is None:
        return None
    try:
        return RehearsalSet.of(content)
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, ZlibError) as error:
        raise refused(bundle.folder, f"its rehearsal.npz cannot be read ({error})") from error


def kinds(sources: Sequence[str], classes: Mapping[Task, Classes]) -> list[tuple[object, ...]]:
    """The source and the labels of each photo."""
    return [(source, *(int(found[index]) for found in classes.values())) for index, source in enumerate(sources)]


def _rows(file: Mapping[str, Any], name: str) -> Rows:
    classes = {task: file[f"{name}_{task}"].astype(np.int64) for task in TASKS}
    return Rows(file[f"{name}_numbers"], file[f"{name}_scales"], classes, list(map(str, file[f"{name}_sources"])))


def _in_runs(rows: Floats) -> Floats:
    """(n, numbers) as (n, runs, _RUN), with zeros at the end."""
    runs = -(-rows.shape[1] // _RUN)
    padded = np.zeros((len(rows), runs * _RUN), np.float32)
    padded[:, : rows.shape[1]] = rows
    return padded.reshape(len(rows), runs, _RUN)
