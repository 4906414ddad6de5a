-- Passes a batch of events on: XADD to the stream, PUBLISH to the store's channel, each event once.
--
-- KEYS: the cursor, which holds the number of the last event that was passed on; the stream, unless
-- there is none. Beside the cursor, under its name with ":again", stands up to which event a stream
-- that lost some is being given them again: until the cursor is there, the stream ends in the past.
-- The one under its name with ":host" is the token of the connection that may move it (claim.rs);
-- for any other one nothing is done. ARGV: the caller's token, the stream's greatest length (0:
-- none), what the cursor must be at least, the last event that the channels have had (a stream that
-- lost some gets them again, who listened does not), the number of the first event; then for each
-- run of events of one store its channel, how many they are, and the JSON text of each. Numbers of
-- events grow by one. Returns the number of the last event that is passed on, and what the server
-- refused ("" for nothing).
--
-- A call that is refused ends the batch there; what was done before it is counted, so it is not
-- done again. And it ends the batches behind it, for each says what it builds on.

local call = redis.pcall
local cursor, stream = KEYS[1], KEYS[2]

local host = call('GET', cursor .. ':host')
if type(host) == 'table' then
  return { '0', host.err }
end
if not host then
  -- It went with all else, or alone: the caller has to look how far the server is.
  return { '0', 'BEHIND the token of the host was here and is not known any more' }
end
if host ~= ARGV[1] then
  return { '0', 'DISPLACED another host publishes the events of this profile' }
end

local challenge = call('GET', cursor .. ':challenge')
if challenge == 'asked' then
  call('SET', cursor .. ':challenge', 'answered', 'PX', 10000)
end

local reached = call('GET', cursor)
if type(reached) == 'table' then
  return { '0', reached.err }
end
reached = reached or '0'
local stored = tonumber(reached)
if stored < tonumber(ARGV[3]) then
  -- Events from before this batch are lost here, or on their way; going on would leave them out for
  -- good.
  return { reached, 'BEHIND event ' .. ARGV[3] .. ' was here, only ' .. reached .. ' is known' }
end

local limit = ARGV[2]
local published = tonumber(ARGV[4])
local last, number = stored, tonumber(ARGV[5])
local refused = ''
local index = 6
while refused == '' and index < #ARGV do
  local channel, count = ARGV[index], tonumber(ARGV[index + 1])
  for at = index + 2, index + 1 + count do
    if number > last then
      local event = ARGV[at]
      local id
      if stream then
        if limit == '0' then
          id = call('XADD', stream, '*', 'event', event)
        else
          id = call('XADD', stream, 'MAXLEN', '~', limit, '*', 'event', event)
        end
        if type(id) == 'table' then
          refused = id.err
          break
        end
      end
      if number > published then
        local reply = call('PUBLISH', channel, event)
        if type(reply) == 'table' then
          -- Neither or both: the next try does the whole event again.
          if id then redis.call('XDEL', stream, id) end
          refused = reply.err
          break
        end
      end
      last = number
    end
    number = number + 1
  end
  index = index + 2 + count
end

if last > stored then
  -- Lua would write large numbers as 1.7e+15.
  reached = string.format('%.0f', last)
  redis.call('SET', cursor, reached)
  if stream and stored < published then
    redis.call('SET', cursor .. ':again', ARGV[4])
  end
end
return { reached, refused }
