-- Claims what any consumer was given and has not acknowledged; does nothing if the lease is not the
-- caller's.
--
-- KEYS: the lease, the count of its keepings, the stream. ARGV: the token, the lease's life in
-- milliseconds, the group, the consumer, how many entries at most, how many bytes (see page.lua),
-- the id from which on. Returns 0 alone if the lease is not the caller's, else 1 and a list of
-- three: the id from which on there may be more ("0-0": there is none), the entries, and the ids of
-- those that are no longer in the stream. (Redis 6.2 does not tell them.)

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return { 0 }
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('INCR', KEYS[2])
local from, gone, looks, failed = ARGV[7], {}, 0, nil
local claimed = page(tonumber(ARGV[5]), tonumber(ARGV[6]), function()
  -- Many may be gone, one behind the other.
  while from and looks < 10 * ARGV[5] do
    looks = looks + 1
    local answer = redis.pcall('XAUTOCLAIM', KEYS[3], ARGV[3], ARGV[4], 0, from, 'COUNT', 1)
    if answer.err then
      failed = answer
      return nil
    end
    from = answer[1] ~= '0-0' and answer[1]
    for _, id in ipairs(answer[3] or {}) do
      gone[#gone + 1] = id
    end
    if answer[2][1] then
      return answer[2][1]
    end
  end
  return nil
end)
return failed or { 1, { from or '0-0', claimed, gone } }
