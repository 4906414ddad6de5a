-- Passes a batch of events on: XADD to the stream, PUBLISH to the store's channel, each event once.
--
-- KEYS: the cursor, which holds the number of the last event that was passed on; the stream, unless there is none.
-- ARGV: the stream's greatest length (0: none), what the cursor was when it was last seen, the last event that the channels have
-- had (a stream that lost some gets them again, who listened does not), then for each event its number, its channel, its JSON text.
-- Returns the number of the last event that is passed on, and what the server refused ("" for nothing).
--
-- A call that is refused ends the batch there; what was done before it is counted, so it is not done again. Numbers stay
-- strings wherever they are stored: Lua would write large ones as 1.7e+15.

local reached = redis.pcall('GET', KEYS[1])
if type(reached) == 'table' then
  return { '0', reached.err }
end
local stored = reached
reached = reached or '0'

local refused = ''
local last = tonumber(reached)
if last < tonumber(ARGV[2]) then
  -- Events from before this batch are lost here; going on would leave them out for good.
  return { reached, 'BEHIND event ' .. ARGV[2] .. ' was here, only ' .. reached .. ' is known' }
end
local published = tonumber(ARGV[3])
for index = 4, #ARGV, 3 do
  local number = tonumber(ARGV[index])
  if number > last then
    local id
    if KEYS[2] then
      if ARGV[1] == '0' then
        id = redis.pcall('XADD', KEYS[2], '*', 'event', ARGV[index + 2])
      else
        id = redis.pcall('XADD', KEYS[2], 'MAXLEN', '~', ARGV[1], '*', 'event', ARGV[index + 2])
      end
      if type(id) == 'table' and id.err then
        refused = id.err
        break
      end
    end
    local heard = 0
    if number > published then
      heard = redis.pcall('PUBLISH', ARGV[index + 1], ARGV[index + 2])
    end
    if type(heard) == 'table' and heard.err then
      -- Neither or both: the next try does the whole event again.
      if id then redis.call('XDEL', KEYS[2], id) end
      refused = heard.err
      break
    end
    last = number
    reached = ARGV[index]
  end
end

if reached ~= '0' and reached ~= stored then
  redis.call('SET', KEYS[1], reached)
end
return { reached, refused }
