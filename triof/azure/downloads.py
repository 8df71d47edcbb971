"""Checks of downloads: the login page of a Wi-Fi network, too, has status 200."""

import zipfile
from pathlib import Path
from zlib import error as ZlibError  # noqa: N812

from providers.base import ProviderMisconfigured
from providers.custom_vision.errors import TrainingRefused
from providers.custom_vision.records import TFLITE, Kind
from providers.local_cnn import azure_export, package
from providers.local_cnn.isolated import Isolation
from triof.judging import photo
from triof.judging.photo import PhotoError
from triof.settings.sections.photo import PhotoLimits

_LIMITS = PhotoLimits(
    max_bytes=50_000_000,
    max_pixels=170_000_000,
    min_side=1,
    max_side=20_000,
    decode_megabytes=1024,
    decode_seconds=30.0,
    wait_seconds=600.0,
)
"""Limits for every photo that the vendor may have accepted; decoding is not urgent here."""
_PROOF_SIDE = 64
"""Side to decode at; a reduced scale also reads the whole file."""
_RUBBISH = {
    "empty": "it is empty",
    "not_a_photo": "it is something else, such as a web page",
    "unread_format": "it is of a kind that the cloud does not keep",
    "heic": "it is of a kind that the cloud does not keep",
    "damaged": "it is damaged or cut short",
}
_CORE_ML = b"\x08"
"""First bytes of a CoreML model, which may be exported without a zip."""


def check_photo(content: bytes) -> None:
    """Raise TrainingRefused unless ``content`` is a complete photo."""
    try:
        photo.load(content, _LIMITS, needed_side=_PROOF_SIDE)
    except PhotoError as error:
        if error.code in _RUBBISH:
            raise TrainingRefused(f"What came is no whole photo: {_RUBBISH[error.code]}.", error.code) from error


def check_export(path: Path, kind: Kind = TFLITE) -> None:
    """Raise TrainingRefused unless the file is a complete export of this kind, and a TensorFlow Lite model loads.

    Raises OSError.
    """
    try:
        if kind == TFLITE:
            files = package.read(path, (azure_export.MANIFEST_FILE,))
            with Isolation(None) as isolation:
                azure_export.check(path, files, isolation)
        elif kind[0] != "CoreML" or not _begins(path, _CORE_ML):
            _check_zip(path)
    except ProviderMisconfigured as error:
        # The message names the unfinished download otherwise.
        raise TrainingRefused(
            f"What came is no whole export: {str(error).replace(str(path), 'it')}", "damaged"
        ) from error
    except (zipfile.BadZipFile, ZlibError, NotImplementedError, RuntimeError, ValueError) as error:
        raise TrainingRefused(f"What came is no whole export ({error}).", "damaged") from error


def _begins(path: Path, start: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(start)) == start


def _check_zip(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        if not any(member.file_size for member in archive.infolist()):
            raise ValueError("the zip is empty")
        if spoilt := archive.testzip():
            raise ValueError(f"{spoilt} in the zip is damaged")
