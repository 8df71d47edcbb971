"""Benchmarks both networks of a bundle on this machine, once: whether 8 bits are faster, with equal predictions.

The reference photos are the demo pictures and copies of them in other light, 200 in all: a machine
has them offline, and they are the same on each. A bundle has no photos of its own, as its
training photos may not be passed on. Two predictions are equal if the label is, and whether it is accepted
by the current thresholds, and whether the photo is unfamiliar, for each task of the bundle.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from PIL.ImageEnhance import Brightness, Color, Contrast

from providers.base import TASKS, Photo, ProviderError
from providers.local_cnn import bundle, precision
from providers.local_cnn.bundle import BundleCard
from providers.local_cnn.options import LocalCnnOptions
from providers.local_cnn.pointer import serving
from providers.local_cnn.precision import PrecisionMeasurement
from providers.local_cnn.provider import LocalCnn
from triof.common.atomic_files import read_json, replace_file
from triof.judging.router import Router
from triof.judging.verdict import threshold
from triof.models import acceptance_photos, bundle_store
from triof.models.errors import writing
from triof.settings.sections.policy import Policy
from triof.settings.tree import Settings

_TIMEOUT = 30.0
_WARM_UP = 3
"""Warm-up photos before times are measured."""

View = Callable[[Image.Image], Image.Image]
Clock = Callable[[], float]
"""In seconds."""


class _ComparedPrediction(NamedTuple):
    """The parts of a prediction that must be equal for both networks."""

    label: str
    is_believed: bool
    is_unfamiliar: bool


def _tinted(red: float, blue: float) -> View:
    def view(picture: Image.Image) -> Image.Image:
        pixels = np.asarray(picture, np.float32) * np.array([red, 1, blue], np.float32)
        return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))

    return view


def _enhanced(how: type[Brightness | Contrast | Color], factor: float) -> View:
    return lambda picture: how(picture).enhance(factor)


_VIEWS: Sequence[View] = (
    lambda picture: picture,
    *(_enhanced(Brightness, factor) for factor in (0.6, 0.8, 1.2)),
    *(_enhanced(Contrast, factor) for factor in (0.7, 1.3)),
    *(_enhanced(Color, factor) for factor in (0.5, 1.5)),
    _tinted(1.1, 0.9),
    _tinted(0.9, 1.1),
)
"""Views: unchanged, in other light, through another camera, under a warmer and a colder lamp."""


def references(card: BundleCard) -> Iterator[Photo]:
    """Yield the reference photos at the bundle's input size."""
    for shown in acceptance_photos.demo(card):
        seen = shown.photo
        for view in _VIEWS:
            yield Photo(view(seen.picture), seen.sha256, seen.width, seen.height)


def run_due(settings: Settings, clock: Clock = time.perf_counter) -> bool:
    """Benchmark the active bundles not measured on this machine; return whether any was. Raises BundleRefused."""
    found = []
    for task in TASKS:
        # A bundle that cannot be loaded is reported elsewhere.
        with suppress(ProviderError):
            found.append(run(serving(task, bundle_store.options(settings)), settings, clock))
    return any(found)


def keep_up(settings: Settings, router: Router, clock: Clock = time.perf_counter) -> None:
    """Run due benchmarks while photos are judged as before. Raises ProviderError, BundleRefused."""
    if run_due(settings, clock):
        # Load the selected network here rather than at the next photo.
        for member in (member for task in TASKS for member in router.members(task) if not member.needs_network):
            member.ping()


def run(folder: Path, settings: Settings, clock: Clock = time.perf_counter) -> PrecisionMeasurement | None:
    """Benchmark both networks of the bundle in ``folder``, unless measured on this machine, and store the result.

    Returns None if there is nothing to measure: the bundle has no intact 8-bit network, the settings select
    one, or it is measured. Raises ProviderError, BundleRefused.
    """
    options = bundle_store.options(settings)
    loaded = bundle.load(folder)
    if not precision.is_due(loaded, options):
        return None
    half, eight_bit = (_providers(loaded.card, folder, options, name) for name in ("half", "8-bit"))
    here = PrecisionMeasurement(
        version=loaded.card.version,
        sha256=loaded.card.sha256,
        processor=precision.processor(),
        interpreter=precision.interpreter(),
    )
    faults = [provider.choice.reason for provider in eight_bit if not provider.choice.eight_bit]
    try:
        found = {"fault": faults[0]} if faults else _compared(half, eight_bit, loaded.card, settings.policy, clock)
    except ProviderError as error:
        found = {"fault": f"its two networks could not be compared: {error}"}
    measured = here.model_copy(update=found)
    assert options.bundles
    path = options.bundles / precision.MEMORY_FILE
    kept = {**read_json(path), str(loaded.card.eight_bit_sha256): measured.model_dump()}
    with writing(path):
        replace_file(path, json.dumps(kept, indent=2).encode() + b"\n")
    return measured


def _providers(card: BundleCard, folder: Path, options: LocalCnnOptions, name: str) -> list[LocalCnn]:
    """Return a provider for each task of the bundle, which share one call per photo."""
    places = {f"{task}_bundle": folder for task in card.tasks}
    asked = options.model_copy(update={**places, "precision": name})
    return [LocalCnn(task, asked) for task in card.tasks]


def _compared(
    half: Sequence[LocalCnn],
    eight_bit: Sequence[LocalCnn],
    card: BundleCard,
    policy: Policy,
    clock: Clock,
) -> dict[str, Any]:
    """Return the fields of a PrecisionMeasurement. Raises ProviderError."""
    photos = list(references(card))
    taken: tuple[list[float], list[float]] = ([], [])
    answers: tuple[list[list[_ComparedPrediction]], list[list[_ComparedPrediction]]] = ([], [])
    for photo in [*photos[:_WARM_UP], *photos]:
        # Alternately, so that other load affects both alike.
        for providers, seconds, said in zip((half, eight_bit), taken, answers, strict=True):
            started = clock()
            said.append([_answer(provider, photo, policy) for provider in providers])
            seconds.append(clock() - started)
    slow, fast = (median(seconds[_WARM_UP:]) for seconds in taken)
    same = [one == other for one, other in zip(*answers, strict=True)][_WARM_UP:]
    return {"photos": len(photos), "ratio": round(slow / fast, 3), "agreement": sum(same) / len(same)}


def _answer(provider: LocalCnn, photo: Photo, policy: Policy) -> _ComparedPrediction:
    said = provider.predict(photo, timeout=_TIMEOUT)
    return _ComparedPrediction(
        said.label, said.probability >= threshold(said, said.label, policy)[0], said.is_unfamiliar
    )
