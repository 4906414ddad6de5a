-- Gives what comes before an entry, newest first.
--
-- KEYS: the stream. ARGV: the entry (with a `(` in front it is left out itself), how many entries
-- at most, how many bytes (see page.lua).

return page(tonumber(ARGV[2]), tonumber(ARGV[3]), function(before)
  local from = before and '(' .. before[1] or ARGV[1]
  return redis.call('XREVRANGE', KEYS[1], from, '-', 'COUNT', 1)[1]
end)
