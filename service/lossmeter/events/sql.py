"""Every statement, in the words that SQLite and PostgreSQL share; parameters are ``?``, bytes ``{bytes}``.

| table | a row is |
|---|---|
| lossmeter_exchanges | a prediction of one series, or a request that has had no answer yet |
| lossmeter_truths | what was true of an id, for every prediction with this id |
| lossmeter_states | what a series came to on one day (UTC), for options that states must share |
"""

from __future__ import annotations

from typing import Final

VERSION: Final = 1
"""Of the schema; another one in the database stops the start."""

ASKED: Final = 0
"""The stage of an exchange whose answer has not come."""
WAITING: Final = 1
"""Its truth has not come."""
SCORED: Final = 2
"""It has been scored, and is not yet in a state."""
KEPT: Final = 3
"""It is in a state; the row is there to know the event again."""

SCHEMA: Final = (
    "CREATE TABLE IF NOT EXISTS lossmeter_schema (version BIGINT NOT NULL)",
    """CREATE TABLE IF NOT EXISTS lossmeter_exchanges (
        id TEXT NOT NULL,
        series TEXT NOT NULL,
        stage BIGINT NOT NULL,
        received DOUBLE PRECISION NOT NULL,
        input TEXT,
        predictions {bytes},
        targets {bytes},
        scored_as TEXT,
        day TEXT,
        size BIGINT NOT NULL,
        PRIMARY KEY (id, series)
    )""",
    "CREATE INDEX IF NOT EXISTS lossmeter_exchanges_received ON lossmeter_exchanges (stage, received)",
    """CREATE TABLE IF NOT EXISTS lossmeter_truths (
        id TEXT NOT NULL PRIMARY KEY,
        received DOUBLE PRECISION NOT NULL,
        targets {bytes} NOT NULL,
        labels TEXT NOT NULL,
        used BIGINT NOT NULL,
        size BIGINT NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS lossmeter_truths_received ON lossmeter_truths (used, received)",
    """CREATE TABLE IF NOT EXISTS lossmeter_states (
        series TEXT NOT NULL,
        day TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        state {bytes} NOT NULL,
        PRIMARY KEY (series, day, fingerprint)
    )""",
)

READ_VERSION: Final = "SELECT version FROM lossmeter_schema"
WRITE_VERSION: Final = "INSERT INTO lossmeter_schema (version) VALUES (?)"

STAGE: Final = "SELECT stage FROM lossmeter_exchanges WHERE id = ? AND series = ?"
ASK: Final = """
    INSERT INTO lossmeter_exchanges (id, series, stage, received, size) VALUES (?, ?, 0, ?, 0)
    ON CONFLICT (id, series) DO NOTHING
"""
PREDICT: Final = """
    INSERT INTO lossmeter_exchanges (id, series, stage, received, input, predictions, size)
    VALUES (?, ?, 1, ?, ?, ?, ?)
    ON CONFLICT (id, series) DO UPDATE SET
        stage = 1, input = excluded.input, predictions = excluded.predictions, size = excluded.size
"""
WAITING_FOR: Final = """
    SELECT series, input, predictions FROM lossmeter_exchanges WHERE id = ? AND stage = 1 ORDER BY series
"""
SCORE: Final = """
    UPDATE lossmeter_exchanges SET stage = 2, targets = ?, scored_as = ?, day = ?, size = size + ?
    WHERE id = ? AND series = ?
"""

TRUTH: Final = "SELECT targets, labels, used FROM lossmeter_truths WHERE id = ?"
TELL: Final = (
    "INSERT INTO lossmeter_truths (id, received, targets, labels, used, size) VALUES (?, ?, ?, ?, ?, ?)"
)
USE: Final = "UPDATE lossmeter_truths SET used = 1 WHERE id = ?"
FORGET: Final = "DELETE FROM lossmeter_truths WHERE id = ?"

SCORED_SERIES: Final = "SELECT DISTINCT scored_as, day FROM lossmeter_exchanges WHERE stage = 2"
SCORED_OF: Final = """
    SELECT id, series, size FROM lossmeter_exchanges
    WHERE stage = 2 AND scored_as = ? AND day = ? ORDER BY received LIMIT ?
"""
SCORED_PAIR: Final = "SELECT input, predictions, targets FROM lossmeter_exchanges WHERE id = ? AND series = ?"
KEEP: Final = """
    UPDATE lossmeter_exchanges SET stage = 3, predictions = NULL, targets = NULL, size = 0 WHERE id = ? AND series = ?
"""

STATE: Final = "SELECT state FROM lossmeter_states WHERE series = ? AND day = ? AND fingerprint = ?"
STATES: Final = """
    SELECT series, fingerprint, day, state FROM lossmeter_states WHERE day >= ? AND day <= ?
    ORDER BY series, fingerprint, day
"""
ALL_SERIES: Final = "SELECT DISTINCT series FROM lossmeter_states"
WRITE_STATE: Final = """
    INSERT INTO lossmeter_states (series, day, fingerprint, state) VALUES (?, ?, ?, ?)
    ON CONFLICT (series, day, fingerprint) DO UPDATE SET state = excluded.state
"""

STAGES: Final = "SELECT stage, COUNT(*), COALESCE(SUM(size), 0) FROM lossmeter_exchanges GROUP BY stage"
TRUTHS: Final = "SELECT used, COUNT(*), COALESCE(SUM(size), 0) FROM lossmeter_truths GROUP BY used"

EXPIRED: Final = (
    "DELETE FROM lossmeter_exchanges WHERE received < ? AND stage <> 2",
    "DELETE FROM lossmeter_truths WHERE received < ?",
)
OLD_STATES: Final = "DELETE FROM lossmeter_states WHERE day < ?"
OLDEST: Final = (
    """DELETE FROM lossmeter_exchanges WHERE (id, series) IN
        (SELECT id, series FROM lossmeter_exchanges WHERE stage = 3 ORDER BY received LIMIT ?)""",
    """DELETE FROM lossmeter_truths WHERE id IN
        (SELECT id FROM lossmeter_truths WHERE used = 1 ORDER BY received LIMIT ?)""",
)
"""What is only there to know an event again, the oldest first."""
