-- What a queue brings, by name. States: 0 ready, 1 waiting, 2 claimed, 3 dispatching.

-- name: open_session
SELECT stop_no, round, priority, next_no, payload_rev
  FROM session
 WHERE number = ? AND id = ?
   AND state IN ('ready', 'running') AND (expires_at IS NULL OR expires_at > ?);

-- name: take_ready
UPDATE batch
   SET state = 2, token = token + 1, round = ?, lease_until = ?, worker = ?, run_at = NULL
 WHERE session = ? AND no = ? AND state = 0
RETURNING token, vec, losses;

-- name: take_unwritten
INSERT INTO batch (session, no, state, queue, token, losses, round, lease_until, worker, vec)
VALUES (?, ?, 2, ?, 1, 0, ?, ?, ?, ?)
    ON CONFLICT (session, no) DO NOTHING
RETURNING token, vec, losses;

-- name: published
SELECT b.session, b.no, s.round,
       b.no <= s.stop_no AND s.state IN ('ready', 'running') AND (s.expires_at IS NULL OR s.expires_at > ?)
  FROM batch b
  JOIN session s ON s.number = b.session
 WHERE b.state = 0 AND b.queue = ? AND b.published_at < ?
 ORDER BY b.published_at
 LIMIT ?;

-- name: park_published
UPDATE batch SET published_at = ? WHERE session = ? AND no = ?;
