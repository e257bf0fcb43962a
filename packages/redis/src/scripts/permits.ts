import { type Script, script } from './script.ts';

/** A permit is a member of a sorted set; its score is the time at which it expires. */
const EXPIRE = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
local function keepAll()
  local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
  if last[2] then keep(KEYS[1], last[2] - now) end
end
`;

/**
 * KEYS: the permits in use. ARGV: lease, cost, limit, microseconds of a lease. Returns: whether it was
 * granted, permits in use, microseconds until the first expires.
 */
export const TAKE_PERMITS: Script = script(`${EXPIRE}
local cost = tonumber(ARGV[2])
local used = redis.call('ZCARD', KEYS[1])
local granted = 0
if used + cost <= tonumber(ARGV[3]) then
  granted = 1
  used = used + cost
  local until_ = string.format('%.0f', now + ARGV[4])
  for i = 1, cost do redis.call('ZADD', KEYS[1], until_, ARGV[1] .. '/' .. i) end
  keepAll()
end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return { granted, used, first[2] and math.ceil(first[2] - now) or 0 }
`);

/** KEYS: the permits. ARGV: microseconds of a lease, then leases. Returns those that have expired. */
export const RENEW_PERMITS: Script = script(`${EXPIRE}
local until_ = string.format('%.0f', now + ARGV[1])
local lost = {}
for i = 2, #ARGV do
  local n = 1
  while redis.call('ZSCORE', KEYS[1], ARGV[i] .. '/' .. n) do
    redis.call('ZADD', KEYS[1], until_, ARGV[i] .. '/' .. n)
    n = n + 1
  end
  if n == 1 then lost[#lost + 1] = ARGV[i] end
end
keepAll()
return lost
`);

/** KEYS: the permits. ARGV: the lease. */
export const RETURN_PERMITS: Script = script(`
local n = 1
while redis.call('ZREM', KEYS[1], ARGV[1] .. '/' .. n) == 1 do n = n + 1 end
return n - 1
`);

/** KEYS: the processes. ARGV: this process, microseconds of its registration. Returns their number. */
export const ANNOUNCE: Script = script(`${EXPIRE}
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
keepAll()
return redis.call('ZCARD', KEYS[1])
`);
