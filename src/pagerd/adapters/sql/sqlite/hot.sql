-- The statements of the hot path, by name. States: 0 ready, 1 waiting, 2 claimed, 3 dispatching.

-- name: due
SELECT b.session, b.no, b.token, b.losses, b.round, b.vec, s.state, s.on_doubt, s.expires_at
  FROM batch b
  JOIN session s ON s.number = b.session
 WHERE b.state = 1 AND b.queue = ? AND b.run_at <= ?
 ORDER BY b.run_at
 LIMIT ?;

-- name: park
UPDATE batch SET run_at = 1e18 WHERE session = ? AND no = ?;

-- name: take_waiting
UPDATE batch
   SET state = 2, token = ?, lease_until = ?, worker = ?, run_at = NULL, vec = ?
 WHERE session = ? AND no = ?;

-- name: fresh
SELECT number, next_no, stop_no, round
  FROM session
 WHERE priority = ? AND number > ?
   AND next_no <= stop_no AND state IN ('ready', 'running')
   AND (expires_at IS NULL OR expires_at > ?)
 ORDER BY number
 LIMIT ?;

-- name: under_way
SELECT session, count(*) FROM batch WHERE state IN (2, 3) AND worker = ? GROUP BY session;

-- name: advance
UPDATE session
   SET next_no = ?, state = 'running', started_at = coalesce(started_at, ?)
 WHERE number = ?;

-- name: standing
SELECT no, state, token, vec FROM batch WHERE session = ? AND no BETWEEN ? AND ?;

-- name: insert_fresh
INSERT INTO batch (session, no, state, queue, token, losses, round, lease_until, worker, vec) VALUES :rows;

-- name: take_ready
UPDATE batch
   SET state = 2, token = token + 1, round = ?, lease_until = ?, worker = ?, run_at = NULL
 WHERE session = ? AND no = ? AND state = 0;

-- name: parts_of
SELECT block, base, base + batches FROM upload_part
 WHERE session = ?1 AND base < ?3 AND base + batches >= ?2 ORDER BY base;

-- name: payloads
SELECT seq, n, blob FROM batch_payload WHERE session = ? AND block = ? AND seq BETWEEN ? AND ?;

-- name: session_state
SELECT state, expires_at FROM session WHERE number = ?;

-- name: held
SELECT 1 FROM batch WHERE session = ? AND no = ? AND token = ? AND state IN (2, 3);

-- name: write
UPDATE batch
   SET state = w.state, vec = w.vec, run_at = w.run_at, losses = losses + w.lost,
       queue = CASE WHEN losses + w.lost >= 2 THEN 2 ELSE queue END,
       lease_until = CASE WHEN w.state IN (2, 3) THEN lease_until END,
       worker = CASE WHEN w.state IN (2, 3) THEN worker END
  FROM (SELECT column1 AS session, column2 AS no, column3 AS token, column4 AS state, column5 AS vec,
               column6 AS run_at, column7 AS lost FROM (VALUES :rows)) AS w
 WHERE batch.session = w.session AND batch.no = w.no AND batch.token = w.token AND batch.state IN (2, 3)
RETURNING session, no, token;

-- name: round_of
SELECT round FROM batch WHERE session = ? AND no = ?;

-- name: attempt
INSERT OR IGNORE INTO attempt (session, no, token, seq, record) VALUES :rows;

-- name: leave
DELETE FROM exception WHERE session = ? AND no = ? AND idx = ?;

-- name: enter
INSERT OR REPLACE INTO exception (session, no, idx, state, reason, round) VALUES (?, ?, ?, ?, ?, ?);

-- name: count_reason
INSERT INTO session_reason (session, shard, state, reason, n) VALUES (?, 0, ?, ?, ?)
    ON CONFLICT (session, shard, state, reason) DO UPDATE SET n = n + excluded.n;

-- name: count
UPDATE session_count SET :changes
 WHERE session = ? AND shard = 0
RETURNING pending + deferred + sending + in_doubt
        + batches_ready + batches_waiting + batches_claimed + batches_dispatching;

-- name: counts
SELECT :columns FROM session_count WHERE session = ? AND shard = 0;

-- name: finish
UPDATE session
   SET state = ?, finished_at = ?
 WHERE number = ? AND state IN ('ready', 'running', 'paused') AND chores IS NULL;

-- name: renew
UPDATE batch SET lease_until = ? WHERE worker = ? AND state IN (2, 3);

-- name: abandoned
SELECT b.session, b.no, b.state, b.token, b.losses, b.round, b.vec, s.priority
  FROM batch b
  JOIN session s ON s.number = b.session
 WHERE b.state IN (2, 3) AND b.worker <> ?
 LIMIT ?;

-- name: give_back
UPDATE batch
   SET state = ?, queue = ?, losses = ?, run_at = ?, vec = ?, lease_until = NULL, worker = NULL
 WHERE session = ? AND no = ?;

-- name: next_due
SELECT min(run_at) FROM batch WHERE state = 1 AND run_at < 1e18;
