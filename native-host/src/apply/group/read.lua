-- Reads on and remembers how many entries there were up to the last one that was read; does nothing
-- if the lease is not the caller's.
--
-- KEYS: the lease, the count of its keepings, the stream, the position ("<id of an entry> <how many
-- there were up to it>"). ARGV: the token, the lease's life in milliseconds, the group, the
-- consumer, how many entries at most, how many bytes (see page.lua), the entry after which the
-- caller expects to read on. Returns 0 alone if the lease is not the caller's, else 1 and the
-- entries.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return { 0 }
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('INCR', KEYS[2])
local failed
local read = page(tonumber(ARGV[5]), tonumber(ARGV[6]), function()
  local answer = redis.pcall('XREADGROUP', 'GROUP', ARGV[3], ARGV[4], 'COUNT', 1, 'STREAMS', KEYS[3], '>')
  if type(answer) == 'table' and answer.err then
    failed = answer
    return nil
  end
  return answer and answer[1][2][1]
end)
if failed then
  -- What was read before is owed, as it is when the answer gets lost.
  return failed
end
if #read > 0 then
  local at, count = string.match(redis.call('GET', KEYS[4]) or '', '^(%S+) (%d+)$')
  if at == ARGV[7] then
    -- Lua would write large numbers as 1.7e+15.
    redis.call('SET', KEYS[4], read[#read][1] .. string.format(' %.0f', count + #read))
  else
    redis.call('DEL', KEYS[4])
  end
end
return { 1, read }
