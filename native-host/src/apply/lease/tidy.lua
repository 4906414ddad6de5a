-- Deletes the consumers of a group that have nothing pending: each process has a name of its own,
-- and most of them are gone. A consumer with something pending is never deleted, for its messages
-- would go with it.
--
-- KEYS: the lease, the count of its keepings, the stream. ARGV: the token, the group.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
local deleted = 0
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[3], ARGV[2])) do
  local about = {}
  for index = 1, #consumer, 2 do
    about[consumer[index]] = consumer[index + 1]
  end
  if about.pending == 0 then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[3], ARGV[2], about.name)
    deleted = deleted + 1
  end
end
return deleted
