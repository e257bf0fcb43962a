import { type Script, script } from './script.ts';

/**
 * Never more than the limit in any window. The window is counted in segments; a segment counts until
 * its last moment has left the window.
 *
 * KEYS: counts by segment. ARGV: limit, microseconds of a segment, segments in a window, then the cost
 * of each call. Returns: units left, microseconds until there are more, then for each call 0 or, negative,
 * when to ask again; the calls behind the first refused one are refused too.
 */
export const TAKE_SLIDING: Script = script(`
local limit = tonumber(ARGV[1])
local length = tonumber(ARGV[2])
local segments = tonumber(ARGV[3])
local current = math.floor(now / length)
local total = 0
local counts = {}
local gone = {}
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local segment = tonumber(fields[i])
  if segment < current - segments then
    gone[#gone + 1] = fields[i]
  else
    -- After the server's clock was set back there are segments of the future; the newest is current.
    if segment > current then current = segment end
    counts[segment] = tonumber(fields[i + 1])
    total = total + counts[segment]
  end
end
local function wait(cost)
  local left = total
  for segment = current - segments, current do
    left = left - (counts[segment] or 0)
    if left + cost <= limit + 0.000001 then
      return math.max(1, math.ceil((segment + segments + 1) * length - now))
    end
  end
  return math.ceil(segments * length)
end
local added = 0
local answers = {}
-- When the last refused call can be asked for again; none behind it can be served earlier.
local behind = 0
for i = 4, #ARGV do
  local cost = tonumber(ARGV[i])
  local fits = total + cost <= limit + 0.000001
  if behind == 0 and fits then
    total = total + cost
    added = added + cost
    counts[current] = (counts[current] or 0) + cost
    answers[#answers + 1] = 0
  else
    if not fits then behind = math.max(behind, wait(cost)) end
    answers[#answers + 1] = -behind
  end
end
if added > 0 then
  redis.call('HSET', KEYS[1], string.format('%.0f', current), exact(counts[current]))
  if #gone > 0 then redis.call('HDEL', KEYS[1], unpack(gone)) end
  keep(KEYS[1], (current + segments + 1) * length - now)
end
local growth = 0
if total > 0 then growth = wait(math.min(limit, limit - total + 1)) end
return { math.max(0, math.floor(limit - total + 0.000001)), growth, unpack(answers) }
`);

/**
 * Consecutive windows, by the server's clock.
 *
 * KEYS: the current window and its count. ARGV: limit, microseconds of a window, then the cost of each
 * call. Returns as {@link TAKE_SLIDING}.
 */
export const TAKE_FIXED: Script = script(`
local limit = tonumber(ARGV[1])
local length = tonumber(ARGV[2])
local window = math.floor(now / length)
local held = redis.call('HMGET', KEYS[1], 'window', 'used')
local used = 0
-- After the server's clock was set back, the window is one of the future, and still the current one.
if held[1] and tonumber(held[1]) >= window then
  window = tonumber(held[1])
  used = tonumber(held[2])
end
local over = math.max(1, (window + 1) * length - now)
local added = false
local answers = {}
local refused = false
for i = 3, #ARGV do
  local cost = tonumber(ARGV[i])
  if not refused and used + cost <= limit + 0.000001 then
    used = used + cost
    added = true
    answers[#answers + 1] = 0
  else
    refused = true
    answers[#answers + 1] = -math.ceil(over)
  end
end
if added then
  redis.call('HSET', KEYS[1], 'window', string.format('%.0f', window), 'used', exact(used))
  keep(KEYS[1], over)
end
return { math.max(0, math.floor(limit - used + 0.000001)), used > 0 and math.ceil(over) or 0, unpack(answers) }
`);
