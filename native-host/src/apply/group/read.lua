-- Reads on and remembers how many entries there were up to the last one that was read; does nothing if the lease is somebody else's.
--
-- KEYS: the lease, the count of its keepings, the stream, the position ("<id of an entry> <how many there were up to it>"). ARGV: the token, the lease's life in
-- milliseconds, the group, the consumer, how many entries at most, the entry after which the caller expects to read on.
-- Returns 0 alone if the lease is not the caller's, else 1 and what XREADGROUP said.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return { 0 }
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('INCR', KEYS[2])
local read = redis.pcall('XREADGROUP', 'GROUP', ARGV[3], ARGV[4], 'COUNT', ARGV[5], 'STREAMS', KEYS[3], '>')
if type(read) == 'table' and read.err then
  return read
end
if read then
  local entries = read[1][2]
  local at, count = string.match(redis.call('GET', KEYS[4]) or '', '^(%S+) (%d+)$')
  if at == ARGV[6] then
    -- Lua would write large numbers as 1.7e+15.
    redis.call('SET', KEYS[4], entries[#entries][1] .. string.format(' %.0f', count + #entries))
  else
    redis.call('DEL', KEYS[4])
  end
end
return { 1, read }
