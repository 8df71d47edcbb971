"""The tables of earlier versions of Triof, as their migrations made them at the time, with a row or two in each.

0004 was changed after it had been used, so that there are two of it.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

_COMMON = "id CHAR(32) NOT NULL, machine_id VARCHAR(64) NOT NULL, at DATETIME NOT NULL"
_ROW = "'{0}', 'machine-1', '2026-10-01 08:00:00.000000'"

_0001 = f"""
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));
CREATE TABLE events (id CHAR(32) NOT NULL, machine_id VARCHAR(64) NOT NULL, deposit_id CHAR(32),
    kind VARCHAR(32) NOT NULL, at DATETIME NOT NULL, waste_type VARCHAR(16), reason VARCHAR(32), detail JSON NOT NULL,
    PRIMARY KEY (id));
CREATE TABLE predictions (id CHAR(32) NOT NULL, machine_id VARCHAR(64) NOT NULL, deposit_id CHAR(32) NOT NULL,
    at DATETIME NOT NULL, task VARCHAR(16) NOT NULL, label VARCHAR(16) NOT NULL, probability FLOAT NOT NULL,
    scores JSON NOT NULL, provider VARCHAR(128) NOT NULL, model_version VARCHAR(128) NOT NULL, attempts JSON NOT NULL,
    photo VARCHAR(64) NOT NULL, PRIMARY KEY (id));
CREATE INDEX events_by_deposit ON events (deposit_id);
CREATE INDEX events_by_kind ON events (machine_id, kind, at);
CREATE INDEX predictions_by_deposit ON predictions (deposit_id);
CREATE INDEX predictions_by_task ON predictions (machine_id, task, at);
INSERT INTO events VALUES ('{"1" * 32}', 'machine-1', '{"d" * 32}', 'deposit.opened', '2026-10-01 08:00:00.000000',
    NULL, NULL, '{{}}');
INSERT INTO events VALUES ('{"2" * 32}', 'machine-1', '{"d" * 32}', 'deposit.judged', '2026-10-01 08:00:05.000000',
    'cup', 'sure', '{{"action": "accept"}}');
INSERT INTO events VALUES ('{"3" * 32}', 'machine-1', '{"d" * 32}', 'deposit.shredded', '2026-10-01 08:00:20.000000',
    'cup', NULL, '{{}}');
INSERT INTO predictions (id, machine_id, deposit_id, at, task, label, probability, scores, provider, model_version,
    attempts, photo) VALUES ('{"4" * 32}', 'machine-1', '{"d" * 32}', '2026-10-01 08:00:05.000000', 'waste_type', 'cup',
    0.97, '{{"cup": 0.97}}', 'local_cnn', '1', '[]', '{"a" * 64}');
"""
_0002 = f"""
CREATE TABLE ledger ({_COMMON}, resource VARCHAR(255) NOT NULL, tier VARCHAR(16) NOT NULL, kind VARCHAR(16) NOT NULL,
    resets_at DATETIME, PRIMARY KEY (id));
CREATE INDEX ledger_by_resource ON ledger (resource, kind, at);
ALTER TABLE predictions ADD COLUMN believed BOOLEAN DEFAULT 1 NOT NULL;
INSERT INTO ledger VALUES ({_ROW.format("5" * 32)}, 'https://x', 'F0', 'call', NULL);
"""
_0003 = f"""
CREATE TABLE uploads ({_COMMON}, project_id VARCHAR(36) NOT NULL, photo VARCHAR(64) NOT NULL, path TEXT NOT NULL,
    tag_id VARCHAR(36) NOT NULL, batch CHAR(32) NOT NULL, outcome VARCHAR(16) NOT NULL, reason TEXT NOT NULL,
    image_id VARCHAR(36) NOT NULL, PRIMARY KEY (id));
CREATE UNIQUE INDEX uploads_by_photo ON uploads (project_id, photo);
CREATE INDEX uploads_by_outcome ON uploads (project_id, outcome);
INSERT INTO uploads VALUES ({_ROW.format("6" * 32)}, 'p', '{"a" * 64}', 'a.jpg', 't', '{"7" * 32}', 'sent', '', 'i');
"""
_0004_COMMON = f"""
ALTER TABLE predictions ADD COLUMN embedding JSON;
CREATE TABLE users ({_COMMON}, name VARCHAR(64) NOT NULL, role VARCHAR(16) NOT NULL, password_hash TEXT NOT NULL,
    session VARCHAR(32) NOT NULL, PRIMARY KEY (id), UNIQUE (name));
CREATE TABLE jobs ({_COMMON}, key_id CHAR(32) NOT NULL, idempotency_key VARCHAR(255), fingerprint VARCHAR(64) NOT NULL,
    status VARCHAR(16) NOT NULL, finished_at DATETIME, answer JSON, PRIMARY KEY (id));
CREATE UNIQUE INDEX jobs_by_idempotency_key ON jobs (key_id, idempotency_key);
CREATE INDEX jobs_by_status ON jobs (machine_id, status, at);
INSERT INTO users VALUES ({_ROW.format("8" * 32)}, 'ada', 'operator', 'x', 's');
"""
_0004_EARLY = f"""
CREATE TABLE api_keys ({_COMMON}, name VARCHAR(64) NOT NULL, digest VARCHAR(64) NOT NULL, scopes JSON NOT NULL,
    per_minute INTEGER, expires_at DATETIME, revoked_at DATETIME, last_used_at DATETIME, PRIMARY KEY (id),
    UNIQUE (digest));
CREATE TABLE tallies ({_COMMON}, day DATE NOT NULL, what VARCHAR(32) NOT NULL, label VARCHAR(128) NOT NULL,
    count INTEGER NOT NULL, total FLOAT NOT NULL, PRIMARY KEY (id));
CREATE UNIQUE INDEX tallies_by_day ON tallies (machine_id, day, what, label);
INSERT INTO api_keys VALUES ({_ROW.format("9" * 32)}, 'till', 'digest-1', '["predict"]', NULL, NULL, NULL, NULL);
INSERT INTO api_keys VALUES ('{"b" * 32}', 'machine-1', '2026-10-02 08:00:00.000000', 'till', 'digest-2', '["read"]',
    NULL, NULL, NULL, NULL);
INSERT INTO tallies VALUES ({_ROW.format("c" * 32)}, '2026-10-01', 'deposits', '', 1, 1.0);
"""
_0004 = f"""
CREATE TABLE api_keys ({_COMMON}, name VARCHAR(64) NOT NULL, digest VARCHAR(64) NOT NULL, former_digest VARCHAR(64),
    former_until DATETIME, scopes JSON NOT NULL, per_minute INTEGER, expires_at DATETIME, revoked_at DATETIME,
    last_used_at DATETIME, PRIMARY KEY (id), UNIQUE (digest));
CREATE UNIQUE INDEX api_keys_by_name ON api_keys (machine_id, name);
CREATE TABLE tallies ({_COMMON}, since DATETIME NOT NULL, until DATETIME NOT NULL, counting VARCHAR(80) NOT NULL,
    rows INTEGER NOT NULL, left_out INTEGER NOT NULL, counts JSON NOT NULL, PRIMARY KEY (id));
CREATE UNIQUE INDEX tallies_by_end ON tallies (machine_id, until);
INSERT INTO api_keys VALUES ({_ROW.format("9" * 32)}, 'till', 'digest-1', NULL, NULL, '["predict"]', NULL, NULL, NULL,
    NULL);
"""

JOURNALS = {
    "0001": ("0001", _0001),
    "0002": ("0002", _0001 + _0002),
    "0003": ("0003", _0001 + _0002 + _0003),
    "0004 early": ("0004", _0001 + _0002 + _0003 + _0004_COMMON + _0004_EARLY),
    "0004": ("0004", _0001 + _0002 + _0003 + _0004_COMMON + _0004),
}


def make(path: Path, name: str) -> None:
    """Make the journal called ``name`` at ``path``."""
    version, script = JOURNALS[name]
    with closing(sqlite3.connect(path)) as journal:
        journal.executescript(f"{script} INSERT INTO alembic_version VALUES ('{version}');")
