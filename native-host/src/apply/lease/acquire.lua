-- Takes the lease of a group unless another process has it.
--
-- KEYS: the lease, the count of its keepings, the token that was put in last. ARGV: the token to
-- put in, its life in milliseconds, the token that the caller put in before ("" for none), a random
-- number from which on keepings are counted if they are not yet. Returns "held" and the token that
-- is there; or "free" if the last holder gave it back with nothing under way; or "unknown" if the
-- last holder may have left something under way. And how often any process has kept the lease up to
-- now; if it was taken, the token that was put in before, too, also if that was long ago.

local holder = redis.call('GET', KEYS[1])
local kept = redis.call('GET', KEYS[2]) or ARGV[4]
if holder and holder ~= 'free' and holder ~= ARGV[3] then
  return { 'held', holder, kept, false }
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local before = redis.call('GET', KEYS[3])
redis.call('SET', KEYS[3], ARGV[1])
redis.call('SET', KEYS[2], kept)
redis.call('INCR', KEYS[2])
if holder == 'free' then
  return { 'free', '', kept, before }
end
return { 'unknown', '', kept, before }
