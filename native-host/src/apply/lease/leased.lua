-- Runs a command if the caller has the lease, which lives on from now; otherwise does nothing.
--
-- KEYS: the lease, the count of its keepings, and what the command is about. ARGV: the token, the
-- lease's life in milliseconds, then the command (none: the lease alone lives on). Returns 0 alone
-- if the lease is not the caller's, else 1 and what the command said.

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return { 0 }
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('INCR', KEYS[2])
if #ARGV == 2 then
  return { 1 }
end
local reply = redis.pcall(unpack(ARGV, 3))
if type(reply) == 'table' and reply.err then
  return reply
end
return { 1, reply }
