import { type Script, script } from './script.ts';

/**
 * Token bucket and GCRA, which decide alike: one number is the time at which the next unit would be due
 * if units were evenly spaced, and calls may be ahead of it by the burst. A call that can wait gets its
 * place in advance.
 *
 * KEYS: the schedule. ARGV: microseconds between two units, burst, then cost and longest wait in
 * microseconds of each call. Returns: units left, microseconds until there is one more, then for each
 * call its wait (negative: when to ask again, nothing was taken) and the time the schedule moved to.
 */
export const TAKE_SCHEDULED: Script = script(`
local interval = tonumber(ARGV[1])
local burst = tonumber(ARGV[2])
local due = tonumber(redis.call('GET', KEYS[1]) or now)
if due < now then due = now end
local before = due
local tolerance = interval * 0.000001
local answers = {}
for i = 3, #ARGV, 2 do
  local after = due + ARGV[i] * interval
  local wait = after - interval * burst - now
  if wait <= tolerance then wait = 0 end
  if wait <= tonumber(ARGV[i + 1]) then
    due = after
    answers[#answers + 1] = math.ceil(wait)
    answers[#answers + 1] = exact(due)
  else
    answers[#answers + 1] = -math.ceil(wait)
    answers[#answers + 1] = ''
  end
end
if due > before then
  redis.call('SET', KEYS[1], exact(due), 'PX', string.format('%.0f', math.ceil((due - now) / 1000) + 1))
end
local units = burst - (due - now) / interval
local whole = math.floor(units + 0.000001)
local growth = 0
if due > now then growth = math.ceil((whole + 1 - units) * interval) end
return { math.max(0, whole), growth, unpack(answers) }
`);

/**
 * Removes a place, if it is the last in the schedule.
 *
 * KEYS: the schedule. ARGV: the time the call moved it to, and by how much, in microseconds.
 */
export const GIVE_BACK: Script = script(`
local due = redis.call('GET', KEYS[1])
if due ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], exact(due - ARGV[2]), 'KEEPTTL')
return 1
`);
