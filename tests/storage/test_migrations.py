"""A journal of every version of Triof there was is brought to this one, and one of a later version is left alone."""

import hashlib
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from click.testing import CliRunner
from sqlalchemy import create_engine

from tests.support.historical_journals import JOURNALS, make
from triof.access.api_keys import Keys
from triof.cli import main
from triof.common.paths import MIGRATIONS
from triof.journal.journal import Journal
from triof.storage.database import Database
from triof.storage.tables import Base

pytestmark = pytest.mark.slow

RELEASED = {
    "0001_first_tables.py": "80d6b59c52c10ea2761abb3eebdcfcdd762458c44eab955f944ef1f74e39128f",
    "0002_ledger.py": "d9d4bc2e4d7036ea2d076be8bff7535b021fbcc4463eb06ff06b7dbd87943092",
    "0003_uploads.py": "75071e09c7c836f95e38f92f63973a2a7146a73037af004950b611b3d75d9766",
    "0004_operations.py": "64a23972877ae394e275307d9bf7103c4f17461538375da3ed1c7378479e581f",
    "0005_early_operations.py": "f9ea3fcc10ae53b21913008e723c25b471a456b1a14966ed1764f03b46a5df69",
    "0006_upload_since.py": "2f819fafe5ee7e0e559e10a33bbb711f379e790a52e9921993afcb2cf60eae3f",
}
"""A migration that was released stands on machines: it is never changed again, a new one follows it."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal of the machine is."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "machine_id").write_text("machine-1\n")
    return tmp_path / "home" / "journal.db"


def rows(path: Path, table: str) -> set[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as journal:
        return {row[:1] for row in journal.execute(f"SELECT * FROM {table}")}


def test_no_released_migration_was_changed() -> None:
    found = {
        file.name: hashlib.sha256(file.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
        for file in (MIGRATIONS / "versions").glob("*.py")
    }
    assert found == RELEASED


@pytest.mark.parametrize("name", JOURNALS)
def test_a_journal_of_every_earlier_version_is_upgraded(path: Path, name: str) -> None:
    make(path, name)
    kept = ("events", "predictions", "ledger", "uploads", "users", "api_keys")
    with closing(sqlite3.connect(path)) as journal:
        tables = {row[0] for row in journal.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    before = {table: rows(path, table) for table in kept if table in tables}
    database = Database(f"sqlite:///{path}", "machine-1")
    database.upgrade()
    with create_engine(f"sqlite:///{path}").connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    assert {table: rows(path, table) for table in before} == before
    (_, predictions), *_ = Journal(database).judged()
    assert [(row.label, row.believed, row.embedding) for row in predictions] == [("cup", True, None)]
    names = [row.name for row in Keys(database, 100).all()]
    assert names == {"0004": ["till"], "0004 early": ["till-99999999", "till"]}.get(name, [])
    for each in names:
        Keys(database, 100).rotate(each)
    database.close()
    report = CliRunner().invoke(main, ["report", "--month", "2026-10", "--out", str(path.with_name("r.html"))])
    assert report.exit_code == 0, report.output
    assert "deposits  1, of which 1 were shredded" in report.output


@pytest.mark.parametrize("arguments", [["kiosk"], ["serve"], ["report"], ["doctor"], ["keys", "list"], ["quota"]])
def test_a_journal_of_a_newer_version_is_left_alone(path: Path, new_journal: Path, arguments: list[str]) -> None:
    shutil.copy(new_journal, path)
    with closing(sqlite3.connect(path)) as journal, journal:
        journal.execute("UPDATE alembic_version SET version_num = '0099'")
    before = path.read_bytes()
    ran = CliRunner().invoke(main, arguments)
    assert ran.exit_code == 1
    assert "written by a newer Triof (its tables have version 0099, this one knows 0006)" in ran.output
    assert "upgrade Triof, or install again the version that wrote it, and leave the journal where it is." in ran.output
    assert "move it" not in ran.output
    assert path.read_bytes() == before


def test_a_copy_of_a_newer_version_is_not_restored(path: Path, new_journal: Path, tmp_path: Path) -> None:
    shutil.copy(new_journal, path)
    shutil.copy(new_journal, copy := tmp_path / "copy.db")
    with closing(sqlite3.connect(copy)) as journal, journal:
        journal.execute("UPDATE alembic_version SET version_num = '0099'")
    ran = CliRunner().invoke(main, ["journal", "restore", str(copy), "--yes"])
    assert ran.exit_code == 1
    assert "written by a newer Triof" in ran.output
