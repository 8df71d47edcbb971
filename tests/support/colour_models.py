"""Small real bundles that read colours: what a picture of :func:`shown` is taken for can be told beforehand."""

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as tflite
from numpy.typing import NDArray
from PIL import Image

from providers.base import LABELS, TASKS, Task
from providers.local_cnn import bundle
from providers.local_cnn.bundle import BundleCard, Input
from providers.local_cnn.engine import Format
from testing.azure.azure_export import Network, pooling, reshaping
from testing.image_files import encoded
from testing.onnx_networks import quarters_network
from tests.support.machines import Machine, assemble
from triof import services
from triof.machine.cameras.folder import FolderCamera
from triof.settings.tree import Settings

SIDE = 16
GAIN = 40.0
LIT = 220
THRESHOLDS: Mapping[Task, Mapping[str, float]] = {
    "waste_type": dict.fromkeys(LABELS["waste_type"], 0.8),
    "cleanliness": {"clean": 0.8, "dirty": 0.8},
}
_COLOURS = {"bottle": (LIT, 0, 0), "cup": (0, LIT, 0), "cutlery": (0, 0, LIT), "other": (0, 0, 0), "empty": (255,) * 3}
_CENTRE = 204
"""As bright as the demo pictures are on average, so that they fall on both sides."""
_GROUNDS = {"clean": (250,) * 3, "dirty": (10,) * 3, "": (_CENTRE,) * 3, "unfamiliar": (225, 225, 255)}


def shown(label: str, cleanliness: str = "") -> bytes:
    """A PNG that is taken for these, surely; without a ``label`` for a cup or a bottle, without the other for both.

    Cleanliness ``unfamiliar`` is clean, on a blue that :func:`save_both` may have never seen.
    """
    picture = Image.new("RGB", (2 * SIDE, 2 * SIDE), _COLOURS.get(label, (LIT, LIT, 0)))
    picture.paste(_GROUNDS[cleanliness], (0, SIDE, 2 * SIDE, 2 * SIDE))
    return encoded(picture, "PNG")


def save(folder: Path, task: Task) -> Path:
    """A bundle of ``task``."""
    model = network(task)
    card = BundleCard(
        task=task,
        version=f"colours-{task}",
        labels=LABELS[task],
        input=Input(width=SIDE, height=SIDE, range=(0, 1)),
        thresholds=THRESHOLDS[task],
        sha256=hashlib.sha256(model).hexdigest(),
    )
    bundle.save(folder, card, model)
    return folder


def network(*tasks: Task, gain: float = 1.0) -> bytes:
    """That of a bundle of ``tasks``, with logits ``gain`` times as large: below 0 it gives other labels."""
    heads = [_heads()[task] for task in tasks]
    return colour_model([(np.float32(gain) * weights, np.float32(gain) * bias) for weights, bias in heads])


def save_both(
    folder: Path,
    version: str = "both-1",
    *,
    knows_itself: bool = False,
    sees_nothing: bool = False,
    format: Format = "tflite",  # noqa: A002
    **changes: object,
) -> Path:
    """A bundle that answers both tasks, with the mean colour of the upper left quarter for an embedding.

    One that ``knows_itself`` also tells how far the lower half is from any grey; one that ``sees_nothing`` takes an
    upper half that is white for an empty slot.
    """
    heads = _heads()
    outputs = [heads["waste_type"], heads["cleanliness"], (np.eye(3, 12, dtype=np.float32), np.zeros(3, np.float32))]
    if sees_nothing:
        weights, bias = heads["waste_type"]
        white = np.array([[GAIN / 3] * 6 + [0] * 6], np.float32)
        outputs[0] = np.vstack([weights, white]), np.append(bias, np.float32(-GAIN * 0.6))
        changes = {"labels": (*LABELS["waste_type"], "empty"), **changes}
    if knows_itself:
        blueness = np.array([[0] * 6 + [-1, -1, 2] * 2], np.float32)
        outputs.append((blueness, np.zeros(1, np.float32)))
        changes = {"unfamiliar_from": 0.2, **changes}
    model = colour_model(outputs) if format == "tflite" else quarters_network(outputs, SIDE)
    parts = {
        task: {"task": task, "labels": LABELS[task], "thresholds": THRESHOLDS[task], "temperature": temperature}
        for task, temperature in zip(TASKS, (1.0, 2.0), strict=True)
    }
    card = {
        **parts["waste_type"],
        "version": version,
        "input": {"width": SIDE, "height": SIDE, "range": (0, 1)},
        "embedding": 3,
        "format": format,
        "sha256": hashlib.sha256(model).hexdigest(),
        "also": (parts["cleanliness"],),
        **changes,
    }
    bundle.save(folder, BundleCard.model_validate(card), model)
    return folder


def colour_model(heads: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> bytes:
    """A network with an output for each of ``heads``: weights (outputs, 12) of the quarters' RGB, and the bias."""
    network = Network()
    photo = network.tensor("photo", (1, SIDE, SIDE, 3))
    quarters, flat = network.tensor("quarters", (1, 2, 2, 3)), network.tensor("flat", (1, 12))
    network.add("AVERAGE_POOL_2D", [photo], quarters, pooling(SIDE // 2))
    shape = network.constant("shape", np.array([1, 12], np.int32))
    network.add("RESHAPE", [quarters, shape], flat, reshaping((1, 12)))
    outputs = []
    for number, (weights, bias) in enumerate(heads):
        output = network.tensor(f"output{number}", (1, len(bias)))
        constants = [network.constant(f"weights{number}", weights), network.constant(f"bias{number}", bias)]
        network.add("FULLY_CONNECTED", [flat, *constants], output, tflite.FullyConnectedOptionsT())
        outputs.append(output)
    return network.pack(photo, *outputs)


def _heads() -> dict[Task, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """The upper half tells the type by its colour, dark being other; the lower half is clean where it is bright."""
    types, dirt = np.zeros((4, 12), np.float32), np.zeros((2, 12), np.float32)
    for label in range(3):
        types[label, [label, 3 + label]] = GAIN / 2
    dirt[0, 6:] = GAIN / 6
    bias = np.array([0, 0, 0, GAIN * 0.4], np.float32)
    return {"waste_type": (types, bias), "cleanliness": (dirt, np.array([0, GAIN * _CENTRE / 255], np.float32))}


def settings_of(path: Path, journal: Path, *, knows_itself: bool = False, sees_nothing: bool = False) -> Settings:
    """Those of a machine whose home below ``path`` has a copy of ``journal`` and that asks a bundle of both tasks."""
    folder = save_both(path / "both", knows_itself=knows_itself, sees_nothing=sees_nothing)
    (path / "home").mkdir(exist_ok=True)
    (path / "home" / "machine_id").write_text("machine-1\n")
    shutil.copy(journal, path / "home" / "journal.db")
    return Settings(
        home=path / "home",
        language="en",
        routes={task: ["local_cnn"] for task in TASKS},
        local_cnn={"waste_type_bundle": folder, "cleanliness_bundle": folder},
    )


@contextmanager
def machine_seeing(settings: Settings, path: Path, *images: bytes) -> Iterator[Machine]:
    """A machine whose camera shows ``images`` in turn."""
    (path / "pictures").mkdir()
    for number, image in enumerate(images):
        (path / "pictures" / f"{number}.png").write_bytes(image)
    machine = assemble(settings, services.build_sorter(settings), FolderCamera(path / "pictures"))
    yield machine
    machine.services.deposits.close()
    machine.services.sorter.close()
    machine.services.journal.database.close()
