"""Zips, folders and other things that are no model, given to `triof bundles install`: soon refused, in a sentence."""

import io
import os
import socket
import struct
import subprocess
import sys
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from providers.base import ProviderMisconfigured
from providers.local_cnn import bundle
from providers.local_cnn.bundle import MODEL_FILE
from providers.local_cnn.options import shipped
from testing.azure.azure_export import azure_export_zip
from tests.support.paths import ROOT
from triof.cli import main

pytestmark = pytest.mark.slow

TAGS = ("Bouteille", "Couvert", "Gobelet", "Negative")
MARKER = "cvexport.manifest"
DANGEROUS = """
import resource, sys
from pathlib import Path
from click.testing import CliRunner
from triof.cli import main
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
for source in sys.argv[1:]:
    ran = CliRunner().invoke(main, ["bundles", "install", source])
    assert ran.exit_code == (2 if Path(source).is_char_device() else 1), (source, ran.output)
    assert isinstance(ran.exception, SystemExit), (source, ran.exception)
    print(ran.output.replace(chr(10), " "))
status = Path("/proc/self/status")
print(status.read_text().partition("VmHWM:")[2].split()[0] if status.exists() else 0)
"""


def refusal(source: Path) -> str:
    ran = CliRunner().invoke(main, ["bundles", "install", str(source)])
    assert ran.exit_code == 1, ran.output
    assert isinstance(ran.exception, SystemExit)
    assert str(source) in ran.output
    return ran.output


def zeros(megabytes: int, method: int) -> bytes:
    """A zip of one member that holds so many zeros."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(MARKER, "{}")
        with archive.open("model.tflite", "w") as member:
            for _ in range(megabytes):
                member.write(bytes(1_000_000))
    return buffer.getvalue()


def claiming(content: bytes, claimed: int) -> bytes:
    """The same zip, whose last member claims another size when unpacked, in both its headers."""
    local, central = content.rindex(b"PK\x03\x04"), content.rindex(b"PK\x01\x02")
    changed = bytearray(content)
    changed[local + 22 : local + 26] = changed[central + 24 : central + 28] = struct.pack("<I", claimed)
    return bytes(changed)


def claiming_directory(content: bytes, claimed: int) -> bytes:
    """The same zip, whose directory claims to have so many bytes."""
    end = content.rindex(b"PK\x05\x06")
    return content[: end + 12] + struct.pack("<I", claimed) + content[end + 16 :]


def test_what_never_ends_or_grows_without_bound_takes_little_time_and_memory(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "linked").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
    for name, target in (("device", "/dev/zero"), ("fifo", str(tmp_path / "pipe")), ("loop", "model.tflite")):
        (tmp_path / name).mkdir()
        (tmp_path / name / MARKER).write_text("{}")
        (tmp_path / name / "model.tflite").symlink_to(target)
    (tmp_path / "bz2.zip").write_bytes(zeros(50, zipfile.ZIP_BZIP2))
    (tmp_path / "deflate.zip").write_bytes(zeros(250, zipfile.ZIP_DEFLATED))
    with (tmp_path / "sparse.zip").open("wb") as sparse:
        sparse.truncate(5_000_000_000)
    named = ("linked", "pipe", "socket", "device", "fifo", "loop", "bz2.zip", "deflate.zip", "sparse.zip")
    sources = ["/dev/zero", *(str(tmp_path / name) for name in named)]
    began = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-c", DANGEROUS, *sources],
        check=False,
        env={**os.environ, "TRIOF_HOME": str(tmp_path / "home")},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    *told, peak = ran.stdout.splitlines()
    assert len(told) == len(sources)
    for source, line in zip(sources[:2], told[:2], strict=True):
        assert f"{source} is a device, not a file or a folder" in line
    assert all("cannot be taken" in line for line in told[2:]), told
    for line in told[2:4]:
        assert "no regular file" in line
    assert "model.tflite: it is no regular file" in told[4]
    assert "compressed otherwise than by deflate" in told[7]
    assert int(peak) < 500_000, "kilobytes"
    assert time.monotonic() - began < 30


def written(member: zipfile.ZipInfo | str, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip with a marker and another member."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(MARKER, "{}")
        archive.writestr(member, b"content")
    return buffer.getvalue()


def of_kind(mode: int) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo("model.tflite")
    member.external_attr = mode << 16
    return member


def encrypted(content: bytes) -> bytes:
    """The same zip, whose last member says that it is encrypted."""
    central = content.rindex(b"PK\x01\x02")
    return content[: central + 8] + b"\x01" + content[central + 9 :]


def twice(name: str) -> bytes:
    """A zip that holds the marker and the same again as ``name``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return written(name)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (lambda: written("x", zipfile.ZIP_BZIP2), "compressed otherwise than by deflate"),
        (lambda: written("x", zipfile.ZIP_LZMA), "compressed otherwise than by deflate"),
        (lambda: encrypted(written("x")), "is encrypted"),
        (lambda: twice(MARKER), "twice"),
        (lambda: twice(f"./{MARKER}"), "twice"),
        (lambda: twice(f"a/../{MARKER}"), "points outside"),
        (lambda: written("C:\\evil"), "points outside"),
        (lambda: written("//host/share"), "points outside"),
        (lambda: written(of_kind(0o120777)), "is no regular file"),
        (lambda: written(of_kind(0o010644)), "is no regular file"),
        (lambda: written(of_kind(0o060644)), "is no regular file"),
        (lambda: claiming(zeros(1, zipfile.ZIP_DEFLATED), 7), "download or copy it again"),
        (lambda: claiming(zeros(1, zipfile.ZIP_DEFLATED), 199_999_000), "download the export again"),
        (lambda: claiming(zeros(1, zipfile.ZIP_DEFLATED), 200_000_001), "more than 1000 files or 200 MB"),
        (lambda: claiming_directory(written("x"), 60), "download or copy it again"),
        (lambda: claiming_directory(bytes(4_500_000) + written("x"), 4_500_000), "download or copy it again"),
    ],
)
def test_a_zip_that_is_no_export_is_refused(tmp_path: Path, content: Callable[[], bytes], told: str) -> None:
    (tmp_path / "bad.zip").write_bytes(content())
    assert told in refusal(tmp_path / "bad.zip")


def test_a_stored_zip_and_one_with_folders_are_read(tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(io.BytesIO(azure_export_zip(TAGS))) as export,
        zipfile.ZipFile(tmp_path / "stored.zip", "w", zipfile.ZIP_STORED) as stored,
    ):
        stored.mkdir("model")
        for name in export.namelist():
            stored.writestr(f"model/{name}", export.read(name))
    ran = CliRunner().invoke(main, ["bundles", "install", str(tmp_path / "stored.zip")])
    assert ran.exit_code == 0, ran.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A bundle that was whole."""
    folder = tmp_path / "bundle"
    folder.mkdir()
    for path in shipped("waste_type").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.mark.parametrize("name", bundle.FILES)
def test_a_bundle_with_a_part_that_is_no_file_is_refused(folder: Path, name: str) -> None:
    for make in (os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")):
        (folder / name).unlink(missing_ok=True)
        make(folder / name)
        with pytest.raises(ProviderMisconfigured, match="no regular file"):
            bundle.load(folder, "waste_type")
        assert "cannot be" in refusal(folder)
        (folder / name).rmdir() if (folder / name).is_dir() else (folder / name).unlink()


def test_a_bundle_that_is_too_large_is_refused(folder: Path) -> None:
    with (folder / MODEL_FILE).open("r+b") as model:
        model.truncate(5_000_000_000)
    with pytest.raises(ProviderMisconfigured, match="more than 200 MB"):
        bundle.load(folder, "waste_type")
    assert "name the export alone" in refusal(folder)
