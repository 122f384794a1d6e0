"""Files with messages that have ended, made by SQL: nine in ten read, some delivered, one in a hundred failed."""

import os
import sqlite3
import time

from outbox import Outboxd

SLICE = 100_000

# A message every so many milliseconds over the last 20 days, each with the events of its life.
MESSAGES = """
WITH RECURSIVE n (n) AS (SELECT :first UNION ALL SELECT n + 1 FROM n WHERE n + 1 < :end)
INSERT INTO message (id, account, line, lot, state, priority, due_at, attempt, failures, claimed_at, last_event,
    recipient, person, type, content, template, created_at, wamid, wamid_attempt, sent_at, delivered_at, read_at,
    failed_at, failed_by, error_code, error_message)
SELECT at << 16, 1, 1 + n % 20, n / 16384, state, 1, at, 1, state = 7, at + 5, 5 * n + 5, recipient, recipient,
    'template', '{"name":"order_ready","language":{"code":"en_US"},"components":[{"type":"body","parameters":'
    || '[{"type":"text","text":"Sarah"},{"type":"text","text":"order 1042"}]}]}', 'order_ready/en_US', at,
    printf('wamid.HBgLMTQxNTU1NTI2NzEVAgARGBI%015d', n), 1, at + 100,
    iif(state IN (5, 6), at + 1000, NULL), iif(state = 6, at + 9000, NULL),
    iif(state = 7, at + 1000, NULL), iif(state = 7, 1, NULL), iif(state = 7, '131026', NULL),
    iif(state = 7, 'Message undeliverable', NULL)
FROM (SELECT n, :since + n * :apart AS at, printf('1416%07d', n % 1000003) AS recipient,
    CASE WHEN n % 100 = 99 THEN 7 WHEN n % 10 = 8 THEN 5 ELSE 6 END AS state FROM n)
"""
EVENTS = """
INSERT INTO event (seq, account, line, message, previous, at, kind, state, attempt, detail)
SELECT last_event - 4 + k.value, 1, line, message.id, iif(k.value = 0, NULL, last_event - 5 + k.value),
    created_at + k.value * 1000,
    CASE WHEN k.value = 4 THEN iif(message.state = 7, 6, iif(message.state = 5, 11, 5)) ELSE
        CASE k.value WHEN 0 THEN 0 WHEN 1 THEN 2 WHEN 2 THEN 3 ELSE iif(message.state = 7, 11, 4) END END,
    CASE k.value WHEN 0 THEN 1 WHEN 1 THEN 2 WHEN 2 THEN 4 WHEN 3 THEN iif(message.state = 7, 4, 5)
        ELSE message.state END,
    k.value > 0, NULL
FROM message CROSS JOIN json_each('[0,1,2,3,4]') AS k WHERE message.id >= :from AND message.id < :to
ORDER BY message.id, k.value
"""

WAMIDS = """
INSERT INTO wamid_run (run, hash, message)
SELECT (row_number() OVER (ORDER BY id) - 1) / 8192, random(), id FROM message ORDER BY 1, 2
"""


def make(bench, folder, count, lines):
    """A folder whose queue holds so many; made once in a run. outboxd makes the file and its lines."""
    start = time.monotonic()
    daemon = Outboxd(bench, bench.nobody, folder=folder)
    daemon.add_lines(lines, pool="bench")
    daemon.stop()
    path = os.path.join(daemon.folder, "outboxd.db")
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode = DELETE")
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.execute("PRAGMA cache_size = -1000000")
    span = 20 * 86_400_000
    apart = max(span // max(count, 1), 1)
    since = int(time.time() * 1000) - 86_400_000 - apart * count
    database.execute("DELETE FROM event")
    for first in range(0, count, SLICE):
        end = min(first + SLICE, count)
        database.execute("BEGIN")
        database.execute(MESSAGES, {"first": first, "end": end, "since": since, "apart": apart})
        database.execute(EVENTS, {"from": (since + first * apart) << 16, "to": (since + end * apart) << 16})
        database.execute("COMMIT")
    database.execute(WAMIDS)
    database.execute(
        "INSERT OR REPLACE INTO counter (line, state, priority, gate, count) "
        "SELECT line, state, 1, 0, count(*) FROM message GROUP BY line, state")
    database.execute("PRAGMA journal_mode = WAL")
    database.close()
    size = os.path.getsize(path) / 1e9
    bench.figures.note(f"{count:,} ended messages in {folder}: {time.monotonic() - start:.0f} s to make, {size:.2f} GB")
    return folder


def folder(bench, count, lines):
    """The one of this run, made when it is first asked for."""
    if bench.history is None:
        bench.history = make(bench, "history", count, lines)
    return bench.history
