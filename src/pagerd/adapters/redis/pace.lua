-- Takes messages from a rate that many workers share, or says how long to wait. One clock for all: Redis's own.
--
-- KEYS  1 the time up to which everything that left is paid for (µs)
--       2 the workers: a sorted set of names by the time they were last heard of
--       3 how many workers there were before Redis was lost: "count until"
-- ARGV  1 the worker   2 messages (0: only a sign of life)   3 µs a message   4 burst
--       5 how many workers it knew of when it lost Redis; 0: it did not   6 whether it paced itself meanwhile
--       7 µs for which a silent worker is believed to share   8 µs after which it is forgotten
-- Returns µs to wait (0: taken), and among how many workers the rate is shared.

local function whole(number) return string.format('%.0f', number) end

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local n, known = tonumber(ARGV[2]), tonumber(ARGV[5])
local forgotten = now - tonumber(ARGV[8])

redis.call('ZADD', KEYS[2], whole(now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', whole(forgotten))
local heard = redis.call('ZCOUNT', KEYS[2], whole(now - tonumber(ARGV[7])), '+inf')
local among = redis.call('ZCARD', KEYS[2])

local before, till = string.match(redis.call('GET', KEYS[3]) or '', '^(%d+) (%d+)$')
before = tonumber(till or 0) > now and tonumber(before) or 0
if known > math.max(among, before) then
  before = known
  redis.call('SET', KEYS[3], known .. ' ' .. whole(now + tonumber(ARGV[8])))
end
among = math.max(among, before)

if n == 0 then return {0, among} end

-- Who is not heard of may be sending at its own share of the rate: the rest of it is what can be given here.
local each = math.ceil(tonumber(ARGV[3]) * among / heard)
local burst = math.max(1, math.floor(tonumber(ARGV[4]) * heard / among))
local paid = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
if ARGV[6] == '1' then -- it comes back: what was left of a burst may be spent
  paid = math.max(paid, now + burst * each)
  redis.call('SET', KEYS[1], whole(paid))
end

local wait = paid - now + (n - math.max(burst, n)) * each
if wait > 0 then return {wait, among} end
redis.call('SET', KEYS[1], whole(paid + n * each))
return {0, among}
