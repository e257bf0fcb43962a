import { type Script, script } from './script.ts';

/**
 * A permit is a member of a sorted set, `<microseconds of its lease>/<lease>/<number>`; its score is the
 * time at which it expires. After the server's clock was set back, none lasts longer than its lease.
 */
const EXPIRE = `
redis.call('ZREMRANGEBYSCORE', KEY, '-inf', string.format('%.0f', now))
local function last()
  return tonumber(redis.call('ZRANGE', KEY, -1, -1, 'WITHSCORES')[2] or now)
end
local function clamp(shortest)
  if last() <= now + shortest then return end
  local from = string.format('(%.0f', now + shortest)
  local late = redis.call('ZRANGEBYSCORE', KEY, from, '+inf', 'WITHSCORES')
  for i = 1, #late, 2 do
    local length = tonumber(string.match(late[i], '^(%d+)/')) or shortest
    if tonumber(late[i + 1]) > now + length then
      redis.call('ZADD', KEY, string.format('%.0f', now + length), late[i])
    end
  end
end
local function keepAll()
  local at = last()
  if at > now then keep(KEY, at - now) end
end
`;

/** Permits for calls, from the first on. With DRY none is taken. */
export const TAKE_CALLS: string = `${EXPIRE}
clamp(tonumber(ARGV[AT + 2]))
local limit, lease = tonumber(ARGV[AT + 1]), ARGV[AT + 2]
local until_ = string.format('%.0f', now + lease)
local used = redis.call('ZCARD', KEY)
local granted = 0
for i = AT + 3, LAST, 2 do
  local cost = tonumber(ARGV[i + 1])
  if used + cost > limit then break end
  if not DRY then
    for n = 1, cost do redis.call('ZADD', KEY, until_, lease .. '/' .. ARGV[i] .. '/' .. n) end
    used = used + cost
  end
  granted = granted + 1
end
if granted > 0 and not DRY then keepAll() end
local first = redis.call('ZRANGE', KEY, 0, 0, 'WITHSCORES')
return { granted, used, first[2] and math.ceil(first[2] - now) or 0 }, granted > 0
`;

/**
 * KEYS: the permits in use. ARGV: limit, microseconds of a lease, then lease and cost of each call.
 * Returns: how many calls were granted, permits in use, microseconds until the first expires.
 */
export const TAKE_PERMITS: Script = script(`
local KEY, AT, LAST, DRY = KEYS[1], 0, #ARGV, false
${TAKE_CALLS}`);

/** KEYS: the permits. ARGV: microseconds of a lease, then leases. Returns those that have expired. */
export const RENEW_PERMITS: Script = script(`local KEY = KEYS[1]${EXPIRE}
clamp(tonumber(ARGV[1]))
local until_ = string.format('%.0f', now + ARGV[1])
local lost = {}
for i = 2, #ARGV do
  local lease = ARGV[1] .. '/' .. ARGV[i] .. '/'
  local n = 1
  while redis.call('ZSCORE', KEY, lease .. n) do
    redis.call('ZADD', KEY, until_, lease .. n)
    n = n + 1
  end
  if n == 1 then lost[#lost + 1] = ARGV[i] end
end
keepAll()
return lost
`);

/** KEYS: the permits. ARGV: microseconds of a lease, then leases. */
export const RETURN_PERMITS: Script = script(`
for i = 2, #ARGV do
  local lease = ARGV[1] .. '/' .. ARGV[i] .. '/'
  local n = 1
  while redis.call('ZREM', KEYS[1], lease .. n) == 1 do n = n + 1 end
end
return 1
`);

/** KEYS: the processes. ARGV: this process, microseconds of its registration. Returns their number. */
export const ANNOUNCE: Script = script(`local KEY = KEYS[1]${EXPIRE}
local until_ = string.format('%.0f', now + ARGV[2])
redis.call('ZADD', KEYS[1], until_, ARGV[1])
if last() > tonumber(until_) then
  local late = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. until_, '+inf')
  for i = 1, #late do redis.call('ZADD', KEYS[1], until_, late[i]) end
end
keepAll()
return redis.call('ZCARD', KEYS[1])
`);
