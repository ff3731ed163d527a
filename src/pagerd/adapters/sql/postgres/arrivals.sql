-- Claiming what a queue brought, and what it was given and lost. States: 0 ready, 2 claimed.

-- name: open_sessions
SELECT s.number, s.id, s.stop_no, s.round, s.priority, s.next_no, s.payload_rev
  FROM session s
 WHERE s.number = ANY($1::bigint[]) AND s.state IN ('ready', 'running')
   AND (s.expires_at IS NULL OR s.expires_at > $2::float8);

-- name: take_ready
UPDATE batch b
   SET state = 2, token = b.token + 1, round = u.round, lease_until = extract(epoch FROM clock_timestamp()) + $1::float8,
       worker = $2::bytea, run_at = NULL
  FROM unnest($3::bigint[], $4::int[], $5::int[]) AS u(session, no, round)
 WHERE b.session = u.session AND b.no = u.no AND b.state = 0
RETURNING b.session, b.no, b.token, b.vec, b.losses, b.round;

-- name: payloads
SELECT u.session, u.no, coalesce(p.block, 0), u.no - coalesce(p.base, 0), bp.blob
  FROM unnest($1::bigint[], $2::int[]) AS u(session, no)
  LEFT JOIN upload_part p ON p.session = u.session AND p.base < u.no AND p.base + p.batches >= u.no
  LEFT JOIN batch_payload bp
         ON bp.session = u.session AND bp.block = coalesce(p.block, 0) AND bp.seq = u.no - coalesce(p.base, 0);

-- name: published
SELECT b.session, b.no, s.round,
       s.state IN ('ready', 'running') AND (s.expires_at IS NULL OR s.expires_at > $1::float8) AND b.no <= s.stop_no
  FROM batch b
  JOIN session s ON s.number = b.session
 WHERE b.state = 0 AND b.published_at < $3::float8 AND s.priority = $2::smallint
 ORDER BY b.published_at
 LIMIT $4
   FOR UPDATE OF b SKIP LOCKED;

-- name: park_published
UPDATE batch b
   SET published_at = 1e18
  FROM unnest($1::bigint[], $2::int[]) AS u(session, no)
 WHERE b.session = u.session AND b.no = u.no;
