-- Whether the group has read all that the stream has, and if so, whether it has read all that the
-- stream has had; does nothing if the lease is not the caller's.
--
-- KEYS: the lease, the count of its keepings, the stream, the position (see read.lua). ARGV: the
-- token, the lease's life in milliseconds, the group, the entry that the group has read last.
-- Returns 0 alone if the lease is not the caller's; 1 alone if there is more to read; else 1 and a
-- list of two: the id from which on the group reads now, and how many entries were cut off the
-- stream unread (-1 if that is unknown).
--
-- The group moves behind what was cut off or deleted, and Redis's own count of what it has read,
-- which is wrong after a restart, after a cut and in between two entries (XINFO GROUPS:
-- entries-read, lag), is put right with it.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return { 0 }
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('INCR', KEYS[2])
if #redis.call('XRANGE', KEYS[3], '(' .. ARGV[4], '+', 'COUNT', 1) > 0 then
  return { 1 }
end

local function fields(reply)
  local named = {}
  for index = 1, #reply, 2 do
    named[reply[index]] = reply[index + 1]
  end
  return named
end

local stream = fields(redis.call('XINFO', 'STREAM', KEYS[3]))
local last, added = stream['last-generated-id'], stream['entries-added']
if not added then
  -- Redis 6.2 does not count.
  return { 1, { ARGV[4], -1 } }
end
for _, reply in ipairs(redis.call('XINFO', 'GROUPS', KEYS[3])) do
  local group = fields(reply)
  if group.name == ARGV[3] and (group['last-delivered-id'] ~= last or group.lag ~= 0) then
    redis.call('XGROUP', 'SETID', KEYS[3], ARGV[3], last, 'ENTRIESREAD', added)
  end
end
local before = redis.call('GET', KEYS[4])
local at, count = string.match(before or '', '^(%S+) (%d+)$')
local unread = -1
if at == ARGV[4] and tonumber(count) <= added then
  unread = added - count
end
local now = last .. string.format(' %.0f', added)
if before ~= now then
  redis.call('SET', KEYS[4], now)
end
return { 1, { last, unread } }
