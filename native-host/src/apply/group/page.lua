-- Put in front of the scripts that give entries.

-- Collects entries one by one until there are so many of them, or until they have so many bytes
-- together: the last one may go beyond, so that one of any size is given. `next` is called with the
-- entry before, and gives none at the end.
local function page(count, bytes, next)
  local entries = {}
  while #entries < count and bytes > 0 do
    local entry = next(entries[#entries])
    if not entry then
      break
    end
    entries[#entries + 1] = entry
    for _, text in ipairs(entry[2] or {}) do
      bytes = bytes - #text
    end
  end
  return entries
end

