"""Photos are collected politely, with their licence, and a run that dies goes on where it stopped."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import responses
import stamina
from click.testing import CliRunner, Result
from filelock import FileLock
from PIL import Image, ImageDraw

from testing.image_files import encoded
from tests.support.clock import Clock
from tests.support.faulty_disk import PowerCut, failing_replace
from tests.support.paths import ROOT
from tests.support.photo_host import Answer, PhotoHost
from triof.cli import Timing, main
from triof.curation.collecting import public_network
from triof.datasets import photo_dataset

OPENVERSE = "https://api.openverse.org/v1/images/"
COMMONS = "https://commons.wikimedia.org/w/api.php"


class Patience(Clock):
    """A clock that sleeping moves; remembers every pause."""

    def __init__(self) -> None:
        super().__init__()
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(round(seconds, 3))
        self.pass_(seconds)


PATIENCE = Patience()
TIMING = Timing(PATIENCE, PATIENCE.sleep)


def triof(*arguments: str | Path, timing: Timing = TIMING) -> Result:
    return CliRunner().invoke(main, ["dataset", "collect", *map(str, arguments)], obj=timing)


def picture(seed: int, width: int = 320, height: int = 240) -> Image.Image:
    """Soft blotches of many colours, no two seeds alike."""
    lumps = np.random.default_rng(seed).integers(0, 256, (7, 7, 3), np.uint8)
    return Image.fromarray(lumps).resize((width, height), Image.Resampling.BICUBIC)


def few_colours(seed: int) -> Image.Image:
    return picture(seed).quantize(method=Image.Quantize.FASTOCTREE)


def photo(seed: int, format_: str = "JPEG", **options: Any) -> bytes:
    return encoded(picture(seed), format_, **options)


def ledger(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / ".collect.jsonl").read_text().splitlines()]


def counted(ran: Result) -> dict[str, int]:
    """The table of outcomes."""
    cells = [[cell.strip() for cell in line.split("│")] for line in ran.stdout.splitlines() if line.startswith("│")]
    return {cell[1]: int(cell[2]) for cell in cells if cell[2].isdigit()}


def check_consistent(out: Path) -> list[photo_dataset.LabelledPhoto]:
    """Every file stands in the manifest, every line of it has its file, and nothing unfinished lies about."""
    photos = list(photo_dataset.read(out).photos)
    files = {path for path in out.glob("*/*") if path.is_file()}
    assert {item.path for item in photos} == files
    assert all(item.path.stem == item.group and item.notes["licence"] for item in photos)
    return photos


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Patience]:
    """Time that costs nothing, and a folder to work in."""
    PATIENCE.pauses.clear()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "*")
    with stamina.set_testing(True, attempts=4, cap=True):
        yield PATIENCE


@pytest.fixture
def host() -> Iterator[PhotoHost]:
    with PhotoHost() as running:
        yield running


def listed(*lines: str) -> Path:
    path = Path("addresses.txt")
    path.write_text("# found by hand\n\n" + "\n".join(lines) + "\n")
    return path


def collect_list(
    *lines: str, out: str = "set", more: tuple[str, ...] = ("--allow-private",), timing: Timing = TIMING
) -> Result:
    return triof(listed(*lines), "--label", "cup", "--source", "url-list", "--out", out, *more, timing=timing)


def found(seed: int, **changes: Any) -> dict[str, Any]:
    """One result of Openverse, as its serializer writes it."""
    result = {
        "id": str(seed),
        "title": f"Bottle\n{seed}",
        "url": f"https://photos.example/{seed}.jpg",
        "creator": "Ada",
        "license": "by-sa",
        "license_version": "2.0",
        "license_url": "https://creativecommons.org/licenses/by-sa/2.0/",
        "foreign_landing_url": f"https://photos.example/page/{seed}",
        "source": "flickr",
        "width": 1024,
        "height": 768,
        "mature": False,
    }
    return {**result, **changes}


def openverse_page(number: int, pages: int, *results: dict[str, Any]) -> None:
    body = {"result_count": 3, "page_count": pages, "page_size": 20, "page": number, "results": list(results)}
    asked = {"q": "bottle", "license_type": "commercial,modification", "mature": "false"}
    match = responses.matchers.query_param_matcher({**asked, "page": number, "page_size": 20})
    responses.get(OPENVERSE, json=body, match=[match])


def serve_photos(*seeds: int) -> None:
    for seed in seeds:
        responses.get(f"https://photos.example/{seed}.jpg", body=photo(seed), content_type="image/jpeg")


BOTTLES = ("bottle", "--label", "bottle", "--source", "openverse", "--out", "set")


@pytest.mark.slow
@responses.activate
def test_openverse_gives_photos_with_author_licence_and_address(patience: Patience) -> None:
    small, mature, not_free = found(7, width=90), found(8, mature=True), found(9, license="by-nc")
    openverse_page(1, 2, found(1), found(3), small, mature, not_free)
    openverse_page(2, 2, found(2, license="cc0", license_version="1.0", creator=None))
    serve_photos(1, 2, 3)
    ran = triof(*BOTTLES, "--cleanliness", "clean")
    assert ran.exit_code == 0, ran.output
    assert counted(ran) == {"kept": 3, "not a photo": 1, "licence": 1}
    first, _, second = check_consistent(Path("set"))
    assert first.labels == {"waste_type": "bottle", "cleanliness": "clean"}
    assert first.split == photo_dataset.split_for(first.group)
    assert first.path.read_bytes() == photo(1)
    assert dict(first.notes) == {
        "source": "openverse:flickr",
        "title": "Bottle 1",
        "author": "Ada",
        "licence": "CC BY-SA 2.0",
        "licence_url": "https://creativecommons.org/licenses/by-sa/2.0/",
        "page_url": "https://photos.example/page/1",
        "url": "https://photos.example/1.jpg",
        "query": "bottle",
        "collected_at": first.notes["collected_at"],
    }
    assert (second.notes["licence"], second.notes["author"]) == ("CC0 1.0", "")
    # A second between two requests to the same host; meanwhile the other one is asked.
    assert patience.pauses == [1.0, 1.0]
    assert all("robots.txt" not in str(call.request.url) for call in responses.calls)


@responses.activate
def test_count_is_what_all_runs_keep_together() -> None:
    openverse_page(1, 1, *(found(seed) for seed in range(1, 6)))
    serve_photos(1, 2, 3, 4, 5)
    assert counted(triof(*BOTTLES, "--count", "2")) == {"kept": 2}
    asked = len(responses.calls)
    assert counted(triof(*BOTTLES, "--count", "2")) == {"kept": 0, "kept before": 2}
    assert len(responses.calls) == asked
    assert counted(triof(*BOTTLES, "--count", "3")) == {"kept": 1, "kept before": 2}
    ran = triof(*BOTTLES, "--count", "9")
    assert counted(ran) == {"kept": 2, "kept before": 3}
    assert "That is all there is, not 9: try other words" in ran.stdout
    assert len([call for call in responses.calls if "photos.example" in str(call.request.url)]) == 5


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"body": requests.ConnectionError("Name or service not known")}, "cannot be reached .*Check the network"),
        ({"status": 429, "headers": {"Retry-After": "21600"}}, "come back in 360 minutes.*goes on where it stopped"),
        ({"status": 429}, "asks to come back later"),
        ({"status": 400, "json": {"detail": "no"}}, "refused the search for 'bottle'.*other words"),
        ({"json": {"detail": "?"}}, "does not understand"),
        ({"json": {"results": [{"url": 3, "license": ["by"]}, 4]}}, "does not understand"),
        ({"body": "<html>"}, "something that is not JSON"),
        ({"status": 503}, "a fault of its own"),
    ],
)
@responses.activate
def test_a_search_that_fails_is_one_sentence(answer: dict[str, Any], said: str, patience: Patience) -> None:
    responses.get(OPENVERSE, **answer)
    ran = triof(*BOTTLES)
    assert ran.exit_code == 1
    lines = ran.stderr.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("Error: ")
    from re import search

    assert search(said, lines[0]), lines[0]
    assert sum(patience.pauses) < 60


def commons_page(index: int, seed: int, licence: str | None, **info: Any) -> dict[str, Any]:
    said = {
        "ObjectName": {"value": f"Cup <b>{seed}</b>"},
        "Artist": {"value": '<a href="//commons.wikimedia.org/wiki/User:Bo">Bo &amp; Co</a>'},
        **({"LicenseShortName": {"value": licence}} if licence else {}),
    }
    info = {
        "thumburl": f"https://upload.wikimedia.org/{seed}.jpg",
        "url": f"https://upload.wikimedia.org/original/{seed}.tif",
        "descriptionurl": f"https://commons.wikimedia.org/wiki/File:{seed}",
        "width": 4000,
        "height": 3000,
        "mime": "image/tiff",
        "extmetadata": said,
        **info,
    }
    return {"pageid": seed, "ns": 6, "title": f"File:{seed}.jpg", "index": index, "imageinfo": [info]}


@responses.activate
def test_wikimedia_is_told_who_asks_and_only_free_licences_are_kept(patience: Patience) -> None:
    lagging = {"error": {"code": "maxlag", "info": "Waiting for db1: 6 seconds lagged"}}
    licences = ["CC BY-SA 4.0", "Public domain", "CC BY-NC 2.0", "Fair use", None, "CC BY-ND 3.0"]
    pages = [commons_page(9 - seed, seed, licence) for seed, licence in enumerate(licences, start=1)]
    batch = {"continue": {"gsroffset": 50, "continue": "gsroffset||"}, "query": {"pages": pages}}
    responses.get(COMMONS, json=lagging, headers={"Retry-After": "5"})
    responses.get(COMMONS, json=batch)
    responses.get(COMMONS, json={"batchcomplete": True, "query": {"pages": [commons_page(1, 7, "CC0")]}})
    for seed in (1, 2, 7):
        responses.get(f"https://upload.wikimedia.org/{seed}.jpg", body=photo(seed), content_type="image/jpeg")
    asked = ("cup", "--label", "cup", "--source", "wikimedia", "--out", "set")
    refused = triof(*asked)
    assert refused.exit_code == 2
    assert "add --contact" in refused.stderr
    ran = triof(*asked, "--contact", "me@example.org")
    assert ran.exit_code == 0, ran.output
    assert counted(ran) == {"kept": 3, "licence": 4}
    notes = {item.notes["url"][-5:]: item.notes for item in check_consistent(Path("set"))}
    assert notes["1.jpg"]["author"] == "Bo & Co"
    assert notes["1.jpg"]["title"] == "Cup 1"
    assert notes["2.jpg"]["licence"] == "Public domain"
    requests: list[Any] = [call.request for call in responses.calls]
    request = requests[0]
    assert request.headers["User-Agent"].startswith("triof/")
    assert "(me@example.org)" in request.headers["User-Agent"]
    assert {"maxlag": "5", "gsrsearch": "filetype:bitmap cup"}.items() <= request.params.items()
    assert [request.params.get("gsroffset") for request in requests if "api.php" in request.url] == [
        None,
        None,
        "50",
    ]
    assert 5.0 in patience.pauses
    # The best first: the index of the search counts, not the order of the answer.
    fetched = [str(call.request.url)[-5:] for call in responses.calls if "upload" in str(call.request.url)]
    assert fetched == ["2.jpg", "1.jpg", "7.jpg"]


@pytest.mark.slow
def test_a_folder_becomes_a_set(tmp_path: Path) -> None:
    pytest.importorskip("imagehash", reason="the extra data is not installed")
    shots = tmp_path / "shots"
    shots.mkdir()
    drawing = Image.new("RGB", (400, 400), "white")
    ImageDraw.Draw(drawing).ellipse((50, 50, 300, 300), fill="red")
    files = {
        "a.jpg": photo(1),
        "b.jpg": photo(1),
        "c.png": encoded(picture(1).resize((640, 480)), "PNG"),
        "d.jpg": photo(2, "WEBP"),
        "e.jpg": b"<html>404</html>",
        "f.png": encoded(drawing, "PNG"),
        "g.png": encoded(picture(3).resize((190, 400)), "PNG"),
        "h.gif": encoded(few_colours(4), "GIF", save_all=True, append_images=[few_colours(5)]),
        "i.jpg": photo(6)[:3000],
        "j.bmp": photo(7, "BMP"),
    }
    for name, content in files.items():
        (shots / name).write_bytes(content)
    with (shots / "k.jpg").open("wb") as sparse:
        sparse.truncate(20_000_001)
    ran = triof(shots, "--label", "cup", "--source", "folder", "--author", "Ada")
    assert ran.exit_code == 0, ran.output
    assert counted(ran) == {"kept": 4, "duplicate": 2, "not a photo": 4, "too large": 1}
    photos = check_consistent(Path("collected/cup"))
    assert sorted(item.path.suffix for item in photos) == [".bmp", ".gif", ".jpg", ".webp"]
    assert {item.path.parent.name for item in photos} == {"cup"}
    assert {(item.notes["author"], item.notes["licence"]) for item in photos} == {("Ada", "unknown")}
    assert "Of 4 the licence is unknown" in ran.stdout
    again = triof(shots, "--label", "cup", "--source", "folder")
    assert counted(again) == {"kept": 0, "kept before": 4, "seen before": 7}


def test_without_the_extra_only_the_very_same_file_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shots = tmp_path / "shots"
    shots.mkdir()
    for name, content in {"a.jpg": photo(1), "b.jpg": photo(1), "c.jpg": photo(1, quality=60)}.items():
        (shots / name).write_bytes(content)
    monkeypatch.setitem(sys.modules, "imagehash", None)
    ran = triof(shots, "--label", "cup", "--source", "folder", "--licence", "CC BY 4.0")
    assert counted(ran) == {"kept": 2, "duplicate": 1}
    assert ran.stdout.count("pip install 'triof[data]'") == 1
    assert "licence" not in ran.stdout


@pytest.mark.slow
def test_a_host_that_misbehaves_costs_one_address_each(host: PhotoHost, patience: Patience) -> None:
    jpeg = {"Content-Type": "image/jpeg"}
    lines = [
        host.serve("/good.jpg", photo(1)) + "\tAda\tCC BY 4.0",
        host.serve("/gone.jpg", Answer(status=410)),
        host.serve("/secret.jpg", Answer(status=403)),
        host.serve("/page.jpg", Answer(b"<html>", headers={"Content-Type": "text/html; charset=utf-8"})),
        host.serve("/liar.jpg", Answer(b"<html>" * 99, headers=jpeg)),
        host.serve("/drawing.svg", Answer(b"<svg/>", headers={"Content-Type": "image/svg+xml"})),
        host.serve("/huge.jpg", Answer(b"x", headers={"Content-Length": "20000001"})),
        host.serve("/endless.jpg", Answer(photo(2) + bytes(1_000_000), times=99)),
        host.serve("/slow.jpg", Answer(bytes(50), headers=jpeg, drip=lambda: patience.pass_(10))),
        host.serve("/faulty.jpg", Answer(status=500), Answer(status=502), Answer(photo(3))),
        host.serve("/dead.jpg", Answer(status=500)),
        host.serve("/moved.jpg", Answer(status=302, headers={"Location": "/there.jpg"})),
        host.serve("/long.jpg", Answer(bytes(1_000_000), 302, {"Location": "/there.jpg"}, times=99)),
        host.serve("/circle.jpg", Answer(status=301, headers={"Location": "/circle.jpg"})),
        host.serve("/file.jpg", Answer(status=302, headers={"Location": "file:///etc/passwd"})),
        host.serve("/nowhere.jpg", Answer(status=302, headers={"Location": "http://[broken"})),
        host.serve("/not-free.jpg", photo(4)) + "\tBo\tCC BY-NC 4.0",
        host.serve("/robots/no.jpg", photo(5)),
        host.serve("/empty.jpg", Answer()),
        host.serve("/cut.jpg", Answer(photo(6)[:900], headers={"Content-Length": "9000"})),
        "ftp://127.0.0.1/x.jpg",
        "http://[broken/x.jpg",
        "no address",
    ]
    host.serve("/there.jpg", photo(8))
    host.serve("/robots.txt", b"User-agent: *\nDisallow: /robots/\n")
    ran = collect_list(*lines)
    assert ran.exit_code == 0, ran.output
    assert counted(ran) == {
        "kept": 3,
        "duplicate": 1,
        "gone": 1,
        "refused": 2,
        "not a photo": 4,
        "too large": 2,
        "later": 3,
        "not asked": 6,
        "licence": 1,
    }
    authors = sorted((item.notes["author"], item.notes["licence"]) for item in check_consistent(Path("set")))
    assert authors == [("", "unknown"), ("", "unknown"), ("Ada", "CC BY 4.0")]
    assert host.sent < 50_000_000
    assert host.times("/robots.txt") == 1
    assert host.times("/robots/no.jpg") == host.times("/not-free.jpg") == 0
    assert host.times("/dead.jpg") == 4
    # A rerun asks for nothing but what may be better by now.
    asked = len(host.history)
    host.serve("/dead.jpg", photo(9))
    again = collect_list(*lines)
    assert (counted(again)["kept"], counted(again)["kept before"]) == (1, 3)
    assert set(host.history[asked:]) == {
        "/dead.jpg",
        "/slow.jpg",
        "/cut.jpg",
        "/robots.txt",
        "/file.jpg",
        "/nowhere.jpg",
    }


def test_rules_that_nobody_understands_keep_us_out(host: PhotoHost) -> None:
    host.serve("/robots.txt", b"User-agent: *\nDisallow: //[x\n")
    assert counted(collect_list(host.serve("/a.jpg", photo(1)))) == {"kept": 0, "not asked": 1}


def test_no_password_of_this_machine_is_sent(host: PhotoHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = tmp_path / "netrc"
    secrets.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(secrets))
    collect_list(host.serve("/a.jpg", photo(1)))
    assert host.times("/a.jpg") == 1
    assert host.passwords == set()


def test_a_host_gets_the_time_it_asks_for(host: PhotoHost, patience: Patience) -> None:
    busy = Answer(status=429, headers={"Retry-After": "7"})
    dated = {"Date": "Wed, 21 Oct 2026 07:28:00 GMT", "Retry-After": "Wed, 21 Oct 2026 07:28:30 GMT"}
    lines = [
        host.serve("/a.jpg", busy, busy, Answer(photo(1))),
        host.serve("/b.jpg", Answer(status=503, headers=dated), Answer(photo(2))),
        host.serve("/c.jpg", Answer(status=429, headers={"Retry-After": "9000"})),
        host.serve("/d.jpg", photo(4)),
    ]
    # BaseHTTPRequestHandler writes a Date of its own; the first one counts.
    ran = collect_list(*lines)
    assert counted(ran) == {"kept": 2, "later": 2}
    assert patience.pauses[:4] == [1.0, 7.0, 7.0, 1.0]
    assert all(pause >= 1.0 for pause in patience.pauses)
    # Who asks for hours is left alone, for all of its addresses.
    assert (host.times("/c.jpg"), host.times("/d.jpg")) == (1, 0)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "localhost", "[::1]", "0x7f000001", "[::ffff:127.0.0.1]", "127.1", "10.0.0.1", "0.0.0.0"]
)
def test_private_networks_are_not_entered(address: str, host: PhotoHost) -> None:
    host.serve("/a.jpg", photo(1))
    ran = collect_list(f"http://{address}:{host.port}/a.jpg", more=())
    assert ran.exit_code == 1
    assert counted(ran) == {"kept": 0, "not asked": 1}
    assert host.history == []


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("64:ff9b::7f00:1", True),
        ("64:ff9b::808:808", False),
        ("2002:7f00:1::", True),
        ("2002:808:808::1", False),
        ("::7f00:1", True),
        ("::ffff:10.0.0.1", True),
        ("2001:0:7f00:1::", True),
        ("64:ff9b:1::7f00:1", True),
        ("224.0.0.251", True),
        ("ff0e::1", True),
        ("fe80::1%eth0", True),
        ("8.8.8.8", False),
        ("2606:4700::1111", False),
    ],
)
def test_what_is_translated_or_sent_to_many_is_private_by_what_it_reaches(address: str, private: bool) -> None:
    assert public_network.is_private(address) is private


@responses.activate
def test_a_redirect_does_not_lead_into_a_private_network(host: PhotoHost) -> None:
    host.serve("/a.jpg", photo(1))
    responses.add_passthru(host.url)
    for name, target in {"1": f"{host.url}/a.jpg", "2": "http://169.254.169.254/latest/meta-data"}.items():
        responses.get(f"https://photos.example/{name}.jpg", status=302, headers={"Location": target})
    responses.get("https://photos.example/robots.txt", status=404)
    ran = collect_list("https://photos.example/1.jpg", "https://photos.example/2.jpg", more=())
    assert counted(ran) == {"kept": 0, "not asked": 2}
    assert host.history == []


@pytest.mark.slow
def test_a_dead_network_ends_the_run_early(host: PhotoHost) -> None:
    with PhotoHost() as closed:
        pass
    lines = [f"{closed.url}/{number}.jpg" for number in range(30)]
    ran = collect_list(*(line for dead in lines for line in (dead, "no address")))
    assert ran.exit_code == 1
    assert "5 addresses in a row gave no answer" in ran.stderr
    assert "goes on where it stopped" in ran.stderr
    one = collect_list(lines[0])
    assert one.exit_code == 1
    assert "1 addresses in a row gave no answer" in one.stderr
    good = host.serve("/good.jpg", photo(1))
    assert counted(collect_list(good, *lines[:19])) == {"kept": 1, "later": 19}
    assert "20 addresses in a row" in collect_list(host.serve("/other.jpg", photo(2)), *lines).stderr


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_stopped(host: PhotoHost, tmp_path: Path) -> None:
    release = threading.Event()
    lines = [host.serve(f"/{seed}.jpg", photo(seed)) for seed in range(1, 6)]
    host.serve("/3.jpg", Answer(photo(3), hold=release), Answer(photo(3)))
    code = (
        "import functools, sys; from triof.cli import main; import triof.cli.dataset.collect as c;"
        "c.Web = functools.partial(c.Web, sleep=lambda seconds: None); main(sys.argv[1:])"
    )
    asked = ["dataset", "collect", str(listed(*lines)), "--label", "cup", "--source", "url-list", "--out", "set"]
    command = [sys.executable, "-c", code, *asked, "--allow-private"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environ) as process:
        host.wait_for("/3.jpg")
        process.send_signal(signal.SIGKILL)
    release.set()
    assert not Path("set/manifest.csv").exists()
    ran = collect_list(*lines)
    assert counted(ran) == {"kept": 3, "kept before": 2}
    assert len(check_consistent(Path("set"))) == 5
    assert [host.times(f"/{seed}.jpg") for seed in range(1, 6)] == [1, 1, 2, 1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("written", [False, True])
def test_a_power_cut_while_a_photo_is_written_is_mended(
    written: bool, host: PhotoHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [host.serve(f"/{seed}.jpg", photo(seed)) for seed in (1, 2)]
    with monkeypatch.context() as patch:
        failing_replace(patch, PowerCut, after=written)
        with pytest.raises(PowerCut):
            collect_list(*lines)
    assert bool(list(Path("set").glob("*/.*"))) != written
    assert not Path("set/manifest.csv").exists()
    with Path("set/.collect.jsonl").open("a") as torn:
        torn.write('{"address": "http://x/half')
    ran = collect_list(*lines)
    assert counted(ran)["kept"] + counted(ran).get("kept before", 0) == 2
    assert len(check_consistent(Path("set"))) == 2
    assert not list(Path("set").glob("*/.*"))
    assert host.times("/1.jpg") == (1 if written else 2)
    # The torn line has spoilt no other.
    lines_now = Path("set/.collect.jsonl").read_text().splitlines()
    assert [line for line in lines_now if not line.endswith("}")] == ['{"address": "http://x/half']


def test_the_manifest_is_mended_from_the_ledger(host: PhotoHost, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [host.serve(f"/{seed}.jpg", photo(seed)) for seed in (1, 2, 3)]
    with monkeypatch.context() as patch:
        failing_replace(patch, PowerCut, "manifest.csv")
        with pytest.raises(PowerCut):
            collect_list(*lines[:2])
    assert not Path("set/manifest.csv").exists()
    collect_list(*lines)
    photos = check_consistent(Path("set"))
    assert len(photos) == 3
    # What a person takes out of the manifest or the folder does not come back.
    photos[0].path.unlink()
    photo_dataset.write(Path("set/manifest.csv"), [photos[0], photos[2]])
    ran = collect_list(*lines)
    assert "1 photos were taken out" in ran.stdout
    assert [item.group for item in photo_dataset.read(Path("set")).photos] == [photos[2].group]
    assert photos[1].path.exists()
    assert host.history == ["/robots.txt", "/1.jpg", "/2.jpg", "/robots.txt", "/3.jpg"]


def test_ctrl_c_says_how_to_go_on(host: PhotoHost, patience: Patience) -> None:
    lines = [host.serve(f"/{seed}.jpg", photo(seed)) for seed in (1, 2, 3)]

    def interrupt(seconds: float) -> None:
        patience.sleep(seconds)
        if host.times("/2.jpg"):
            raise KeyboardInterrupt

    ran = collect_list(*lines, timing=Timing(patience, interrupt))
    assert ran.exit_code == 130
    assert ran.stderr.strip() == "Interrupted with 2 photos in set: the same command goes on."
    assert len(check_consistent(Path("set"))) == 2
    assert counted(collect_list(*lines)) == {"kept": 1, "kept before": 2}
    assert [host.times(f"/{seed}.jpg") for seed in (1, 2, 3)] == [1, 1, 1]


def test_several_runs_share_one_folder(host: PhotoHost, tmp_path: Path) -> None:
    pytest.importorskip("imagehash", reason="the extra data is not installed")
    out = Path("set")
    (out / "mine").mkdir(parents=True)
    (out / "mine" / "1.png").write_bytes(photo(1, "PNG"))
    Path("set/manifest.csv").write_text("path,waste_type,cleanliness,group,split,colour\nmine/1.png,cup,,g,val,red\n")
    lines = [host.serve(f"/{seed}.jpg", photo(seed)) for seed in (1, 2)]
    assert counted(collect_list(*lines)) == {"kept": 1, "duplicate": 1}
    shots = tmp_path / "shots"
    shots.mkdir()
    (shots / "a.jpg").write_bytes(photo(2))
    (shots / "b.jpg").write_bytes(photo(3))
    ran = triof(shots, "--label", "cutlery", "--source", "folder", "--out", "set", "--cleanliness", "dirty")
    assert counted(ran) == {"kept": 1, "duplicate": 1}
    photos = photo_dataset.read(out).photos
    assert [(item.labels.get("waste_type"), item.labels.get("cleanliness")) for item in photos] == [
        ("cup", None),
        ("cup", None),
        ("cutlery", "dirty"),
    ]
    assert photos[0].notes["colour"] == "red"
    assert [line["outcome"] for line in ledger(out) if "outcome" in line].count("there") == 1
    with FileLock(out / ".triof.lock"):
        refused = collect_list(*lines)
    assert refused.exit_code == 1
    assert "Another run writes to set" in refused.stderr


@pytest.mark.parametrize(
    ("source", "said"), [("folder", "nowhere is no folder"), ("url-list", "nowhere cannot be read")]
)
def test_a_query_that_leads_nowhere_is_said(source: str, said: str) -> None:
    ran = triof("nowhere", "--label", "cup", "--source", source)
    assert ran.exit_code == 1
    assert said in ran.stderr
