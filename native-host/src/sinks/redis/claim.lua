-- Gives the profile's cursor to the connection that has this token, unless another one has it than
-- it thinks.
--
-- A challenge that is left concerned the former token: its holder must not answer for the new one.
--
-- KEYS: the token's key, and that of a challenge. ARGV: the token, and the one that it takes the
-- place of ("" for none).
-- Returns 1, or 0 if another token is there.

if (redis.call('GET', KEYS[1]) or '') ~= ARGV[2] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1])
-- By the command that it is set with: the user of the host may have no other one.
redis.call('SET', KEYS[2], '', 'PX', 1)
return 1
