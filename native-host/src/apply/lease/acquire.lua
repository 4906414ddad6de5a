-- Takes the lease of a group unless somebody else has it.
--
-- KEYS: the lease. ARGV: the token to put in, its life in milliseconds, the token that the caller put in before ("" for none).
-- Returns "held" and the token that is there; or "free" if whoever had it gave it back with nothing under way; or "unknown" if
-- nobody can say what became of whoever had it.

local holder = redis.call('GET', KEYS[1])
if holder and holder ~= 'free' and holder ~= ARGV[3] then
  return { 'held', holder }
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if holder == 'free' then
  return { 'free', '' }
end
return { 'unknown', '' }
