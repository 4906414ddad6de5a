-- What a stream is like, without its entries: XINFO returns the first and the last one complete.
--
-- KEYS: the stream. Returns nothing if there is none; else how many entries it has, how many it has
-- had (-1: the server does not tell), the id of the last one it has had, and of the first one that
-- it has, if it has one.

local reply, fields = redis.pcall('XINFO', 'STREAM', KEYS[1]), {}
if reply.err then
  -- Not by EXISTS, which needs one more permission.
  return not string.find(reply.err, 'no such key') and reply
end
for index = 1, #reply, 2 do
  fields[reply[index]] = reply[index + 1]
end
local first = fields['first-entry']
return { fields.length, fields['entries-added'] or -1, fields['last-generated-id'], first and first[1] }
