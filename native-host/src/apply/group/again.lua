-- Gives entries once more.
--
-- KEYS: the stream. ARGV: how many bytes (see page.lua), then the entries' ids.
-- Returns how many of the ids were looked for, and the entries that are there.

local looked = 0
local found = page(#ARGV, tonumber(ARGV[1]), function()
  while looked + 1 < #ARGV do
    looked = looked + 1
    local id = ARGV[looked + 1]
    local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
    if entry then
      return entry
    end
  end
  return nil
end)
return { looked, found }
