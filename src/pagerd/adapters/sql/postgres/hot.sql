-- The statements of the hot path, by name. States: 0 ready, 1 waiting, 2 claimed, 3 dispatching.
-- Leases are on the database's clock; all other times are what the worker says that time is.

-- name: look
-- What there may be to claim, queue by queue: first whether something is due, then the sessions with fresh batches,
-- beginning after the one that was served last.
SELECT q.queue, found.number, found.next_no, found.stop_no
  FROM unnest($1::smallint[], $2::bigint[], $3::bool[]) AS q(queue, after, fresh)
 CROSS JOIN LATERAL (
       (SELECT 0::bigint AS number, 0 AS next_no, 0 AS stop_no
         WHERE EXISTS (SELECT FROM batch b WHERE b.state = 1 AND b.queue = q.queue AND b.run_at <= $4))
       UNION ALL
       (SELECT s.number, s.next_no, s.stop_no FROM session s
         WHERE q.fresh AND s.priority = q.queue AND s.number > q.after
           AND s.next_no <= s.stop_no AND s.state IN ('ready', 'running')
           AND (s.expires_at IS NULL OR s.expires_at > $4)
         ORDER BY s.number LIMIT 64)
       UNION ALL
       (SELECT s.number, s.next_no, s.stop_no FROM session s
         WHERE q.fresh AND s.priority = q.queue AND s.number <= q.after
           AND s.next_no <= s.stop_no AND s.state IN ('ready', 'running')
           AND (s.expires_at IS NULL OR s.expires_at > $4)
         ORDER BY s.number LIMIT 64)
       ) AS found;

-- name: due
SELECT b.session, b.no, b.token, b.losses, b.round, b.vec, s.state, s.on_doubt, s.expires_at
  FROM batch b
  JOIN session s ON s.number = b.session
 WHERE b.state = 1 AND b.queue = $1::smallint AND b.run_at <= $2::float8
 ORDER BY b.run_at
 LIMIT $3
   FOR UPDATE OF b SKIP LOCKED;

-- name: park
UPDATE batch b
   SET run_at = 1e18
  FROM unnest($1::bigint[], $2::int[]) AS u(session, no)
 WHERE b.session = u.session AND b.no = u.no;

-- name: take_waiting
WITH taken AS (
    UPDATE batch b
       SET state = 2, token = u.token, lease_until = extract(epoch FROM clock_timestamp()) + $1::float8,
           worker = $2::bytea, run_at = NULL, vec = u.vec
      FROM unnest($3::bigint[], $4::int[], $5::int[], $6::bytea[]) AS u(session, no, token, vec)
     WHERE b.session = u.session AND b.no = u.no
    RETURNING b.session, b.no)
SELECT t.session, t.no, coalesce(p.block, 0), t.no - coalesce(p.base, 0), bp.blob
  FROM taken t
  LEFT JOIN upload_part p ON p.session = t.session AND p.base < t.no AND p.base + p.batches >= t.no
  LEFT JOIN batch_payload bp
         ON bp.session = t.session AND bp.block = coalesce(p.block, 0) AND bp.seq = t.no - coalesce(p.base, 0);

-- name: advance
-- The sessions are locked in order of number, so that two processes that want the same ones wait and don't embrace.
WITH fresh AS (
    SELECT number, next_no, stop_no
      FROM session
     WHERE number = ANY($1::bigint[]) AND next_no <= stop_no AND state IN ('ready', 'running')
       AND (expires_at IS NULL OR expires_at > $3::float8)
     ORDER BY number
       FOR NO KEY UPDATE)
UPDATE session s
   SET next_no = least(f.next_no + u.n, f.stop_no + 1), state = 'running',
       started_at = coalesce(s.started_at, $3::float8)
  FROM fresh f
  JOIN unnest($1::bigint[], $2::int[]) AS u(number, n) ON u.number = f.number
 WHERE s.number = f.number
RETURNING s.number, f.next_no, s.next_no - 1, s.round, s.priority;

-- name: take_fresh
WITH wanted AS MATERIALIZED (
    SELECT u.session, n.no, u.round, u.queue, coalesce(p.block, 0) AS block, n.no - coalesce(p.base, 0) AS seq
      FROM unnest($3::bigint[], $4::int[], $5::int[], $6::int[], $7::smallint[])
           AS u(session, first, last, round, queue)
     CROSS JOIN LATERAL generate_series(u.first, u.last) AS n(no)
      LEFT JOIN upload_part p ON p.session = u.session AND p.base < n.no AND p.base + p.batches >= n.no),
taken AS (
    INSERT INTO batch AS b (session, no, state, queue, token, losses, round, lease_until, worker, vec)
    SELECT w.session, w.no, 2, w.queue, 1, 0, w.round, extract(epoch FROM clock_timestamp()) + $1::float8, $2::bytea,
           decode(repeat('00', 10 * coalesce(bp.n, 0)), 'hex')
      FROM wanted w
      LEFT JOIN batch_payload bp ON bp.session = w.session AND bp.block = w.block AND bp.seq = w.seq
        ON CONFLICT (session, no) DO UPDATE
       SET state = 2, token = b.token + 1, round = excluded.round, lease_until = excluded.lease_until,
           worker = excluded.worker, run_at = NULL
     WHERE b.state = 0
    RETURNING session, no, token, vec, losses, round)
SELECT t.session, t.no, t.token, t.vec, t.losses, t.round, w.block, w.seq, bp.blob
  FROM taken t
  JOIN wanted w ON w.session = t.session AND w.no = t.no
  LEFT JOIN batch_payload bp ON bp.session = w.session AND bp.block = w.block AND bp.seq = w.seq
 ORDER BY t.session, t.no;

-- name: write
-- One write a batch. What is not returned was refused: the token is another, or the session does not run.
WITH kept AS (
    INSERT INTO attempt (session, no, token, seq, record, period)
    SELECT u.session, u.no, u.token, u.seq, u.record, floor(s.created_at / 604800)::int
      FROM unnest($1::bigint[], $2::int[], $3::int[], $4::int[], $5::bytea[]) AS u(session, no, token, seq, record)
      JOIN session s ON s.number = u.session
        ON CONFLICT DO NOTHING)
UPDATE batch b
   SET state = u.state, vec = u.vec, run_at = u.run_at, losses = b.losses + u.lost,
       queue = CASE WHEN b.losses + u.lost >= 2 THEN 2 ELSE b.queue END,
       lease_until = CASE WHEN u.state IN (2, 3) THEN b.lease_until END,
       worker = CASE WHEN u.state IN (2, 3) THEN b.worker END
  FROM unnest($6::bigint[], $7::int[], $8::int[], $9::smallint[], $10::bytea[], $11::float8[], $12::int[], $13::bool[])
       AS u(session, no, token, state, vec, run_at, lost, needs_running)
 WHERE b.session = u.session AND b.no = u.no AND b.token = u.token AND b.state IN (2, 3)
   AND (NOT u.needs_running
        OR (SELECT s.state IN ('ready', 'running') AND (s.expires_at IS NULL OR s.expires_at > $14::float8)
              FROM session s
             WHERE s.number = u.session))
RETURNING b.session, b.no, b.round;

-- name: held
SELECT b.session, b.no
  FROM unnest($1::bigint[], $2::int[], $3::int[]) AS u(session, no, token)
  JOIN batch b ON b.session = u.session AND b.no = u.no AND b.token = u.token
 WHERE b.state IN (2, 3);

-- name: standing
-- What stands under these tokens, after a commit that nobody answered; it waits for one that is still under way.
SELECT b.session, b.no, b.state, b.vec
  FROM batch b
  JOIN unnest($1::bigint[], $2::int[], $3::int[]) AS u(session, no, token)
    ON b.session = u.session AND b.no = u.no AND b.token = u.token
   FOR UPDATE OF b;

-- name: leave
DELETE FROM exception e
 USING unnest($1::bigint[], $2::int[], $3::int[]) AS u(session, no, idx)
 WHERE e.session = u.session AND e.no = u.no AND e.idx = u.idx;

-- name: enter
INSERT INTO exception (session, no, idx, state, reason, round)
SELECT * FROM unnest($1::bigint[], $2::int[], $3::int[], $4::smallint[], $5::int[], $6::int[])
    ON CONFLICT (session, no, idx) DO UPDATE
   SET state = excluded.state, reason = excluded.reason, round = excluded.round;

-- name: count_reason
INSERT INTO session_reason AS r (session, shard, state, reason, n)
SELECT u.session, $1::smallint, u.state, u.reason, u.n
  FROM unnest($2::bigint[], $3::smallint[], $4::int[], $5::int[]) AS u(session, state, reason, n)
    ON CONFLICT (session, shard, state, reason) DO UPDATE SET n = r.n + excluded.n;

-- name: count
-- The deltas of all sessions stand in one array, as many numbers each as there are columns.
INSERT INTO session_count AS c (session, shard, :columns)
SELECT u.session, $1::smallint, :numbers
  FROM unnest($2::bigint[]) WITH ORDINALITY AS u(session, i)
    ON CONFLICT (session, shard) DO UPDATE SET :changes;

-- name: lock_sessions
SELECT number, state IN ('ready', 'running', 'paused') AND chores IS NULL
  FROM session
 WHERE number = ANY($1::bigint[])
 ORDER BY number
   FOR NO KEY UPDATE;

-- name: counts
SELECT session, :sums FROM session_count WHERE session = ANY($1::bigint[]) GROUP BY session;

-- name: finish
UPDATE session s
   SET state = u.state, finished_at = $3::float8
  FROM unnest($1::bigint[], $2::text[]) AS u(number, state)
 WHERE s.number = u.number;

-- name: renew
-- Only what is not over is extended: over is over, also where nobody else has taken it yet. A row that is being
-- written right now is left alone.
WITH mine AS (
    SELECT b.session, b.no
      FROM batch b
      JOIN unnest($2::bigint[], $3::int[], $4::int[]) AS u(session, no, token)
        ON b.session = u.session AND b.no = u.no AND b.token = u.token
     WHERE b.state IN (2, 3) AND b.lease_until > extract(epoch FROM clock_timestamp())
       FOR UPDATE OF b SKIP LOCKED)
UPDATE batch b
   SET lease_until = extract(epoch FROM clock_timestamp()) + $1::float8
  FROM mine m
 WHERE b.session = m.session AND b.no = m.no
RETURNING b.session, b.no;

-- name: still_held
SELECT b.session, b.no
  FROM batch b
  JOIN unnest($1::bigint[], $2::int[], $3::int[]) AS u(session, no, token)
    ON b.session = u.session AND b.no = u.no AND b.token = u.token
 WHERE b.state IN (2, 3) AND b.lease_until > extract(epoch FROM clock_timestamp());

-- name: abandoned
SELECT b.session, b.no, b.state, b.losses, b.round, b.vec, s.priority
  FROM batch b
  JOIN session s ON s.number = b.session
 WHERE b.state IN (2, 3) AND b.lease_until <= extract(epoch FROM clock_timestamp())
 LIMIT $1
   FOR UPDATE OF b SKIP LOCKED;

-- name: give_back
UPDATE batch b
   SET state = u.state, queue = u.queue, losses = u.losses, run_at = u.run_at, vec = u.vec,
       lease_until = NULL, worker = NULL
  FROM unnest($1::bigint[], $2::int[], $3::smallint[], $4::smallint[], $5::int[], $6::float8[], $7::bytea[])
       AS u(session, no, state, queue, losses, run_at, vec)
 WHERE b.session = u.session AND b.no = u.no;

-- name: next_due
SELECT min(run_at) FROM batch WHERE state = 1 AND run_at < 1e18;
