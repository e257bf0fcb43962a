import { FAIR, UNFAIR } from './fair.ts';
import { type Script, script } from './script.ts';

/**
 * The state of one key, as `KeyState` and `RuleState` of `@temper/ratelimit` have it: a state for each
 * rule in use, packed as `{ version, at, blocked, state... }`. Times are in microseconds.
 *
 * A state is `{ kind, limit, window, extra, asked, ... }`. Of a bucket (kind 1, extra is its burst):
 * how far the schedule was ahead at `at`, and the places given back before others, as their ends and
 * lengths. Of a sliding window (kind 2, extra is its segments): how long the present segment lasts, and
 * the counts from it back. Of a fixed window (kind 3): how long the window lasts, and its count.
 *
 * Only elapsed time counts: when the server's clock is set back, nothing recovers, and no wait is longer
 * than the rule can mean. A state of an unknown version is not touched; the reply is then -1.
 *
 * KEY is the key, and ARGV has the rule after AT.
 */
export const STATE = `
local AHEAD = 1000000
local MAX_RULES = 8
local MORE = 1 + 1e-9
local KIND, LIMIT, WINDOW, EXTRA, ASKED, A, LIST = 1, 2, 3, 4, 5, 6, 7
local elapsed, blocked, setBack = 0, 0, false
local states = {}
local packed = redis.call('GET', KEY)
if packed then
  local read, kept = pcall(cmsgpack.unpack, packed)
  if not read or type(kept) ~= 'table' or kept[1] ~= 1 then return { -1 } end
  elapsed = math.max(0, now - kept[2])
  setBack = now < kept[2]
  blocked = math.max(0, kept[3] - elapsed)
  for i = 4, #kept do states[#states + 1] = kept[i] end
end

local function interval(s) return s[WINDOW] / s[LIMIT] end
local function segment(s) return s[WINDOW] / s[EXTRA] end
local function full(s) return s[EXTRA] * interval(s) end
local function capacity(s) if s[KIND] == 1 then return s[EXTRA] end return s[LIMIT] end
local function recovery(s)
  if s[KIND] == 1 then return full(s) + AHEAD end
  if s[KIND] == 2 then return s[WINDOW] + segment(s) end
  return s[WINDOW]
end
local function used(s)
  if s[KIND] == 1 then return s[A] / interval(s) end
  if s[KIND] == 3 then return s[LIST] end
  local total = 0
  for i = 1, #s[LIST] do total = total + s[LIST][i] end
  return total
end

-- Places given back at the end of a schedule shorten it; all of them do when no call waits for its place.
local function reclaim(s)
  local gaps = {}
  for i = 1, #s[LIST], 2 do gaps[#gaps + 1] = { s[LIST][i], s[LIST][i + 1] } end
  table.sort(gaps, function(a, b) return a[1] > b[1] end)
  local left = {}
  for i = 1, #gaps do
    local ends, length = gaps[i][1], gaps[i][2]
    if ends > 0 then
      if s[A] <= full(s) + interval(s) * 0.000001 or ends >= s[A] - 1 then
        s[A] = math.max(0, s[A] - length)
      else
        left[#left + 1] = ends
        left[#left + 1] = length
      end
    end
  end
  s[LIST] = left
end

local function sync(s)
  s[ASKED] = math.min(s[ASKED], now)
  if s[KIND] == 1 then
    s[A] = math.min(math.max(0, s[A] - elapsed), recovery(s))
    if #s[LIST] > 0 then
      for i = 1, #s[LIST], 2 do s[LIST][i] = s[LIST][i] - elapsed end
      reclaim(s)
    end
  elseif s[KIND] == 2 and used(s) == 0 then
    s[A] = segment(s)
  elseif s[KIND] == 2 then
    local length, slots = segment(s), s[EXTRA] + 1
    local beyond = elapsed - s[A]
    local passed = beyond < 0 and 0 or 1 + math.floor(beyond / length)
    s[A] = passed * length - beyond
    if passed > 0 then
      local counts = {}
      for i = 1, slots do counts[i] = i > passed and s[LIST][i - passed] or 0 end
      s[LIST] = counts
      if used(s) == 0 then s[A] = length end
    end
  else
    if s[LIST] > 0 then s[A] = s[A] - elapsed end
    if s[A] <= 0 or s[LIST] == 0 then s[A], s[LIST] = s[WINDOW], 0 end
  end
end

local function gone(s, age)
  return math.max(1, s[A] + (s[EXTRA] - age) * segment(s))
end
local function wait(s, cost)
  if s[KIND] == 1 then
    local ms = s[A] + cost * interval(s) - full(s)
    if ms <= interval(s) * 0.000001 then return 0 end
    return ms
  end
  local total = used(s)
  if total + cost <= s[LIMIT] + 0.000001 then return 0 end
  if s[KIND] == 3 then return math.max(1, s[A]) end
  for i = #s[LIST], 1, -1 do
    total = total - s[LIST][i]
    if total + cost <= s[LIMIT] + 0.000001 then return gone(s, i - 1) end
  end
  return gone(s, 0)
end
local function busy(s)
  if s[KIND] == 1 then return s[A] <= interval(s) * 0.000001 and 0 or s[A] end
  if s[KIND] == 3 then
    if s[LIST] > 0 then return math.max(1, s[A]) end
    return 0
  end
  for i = 1, #s[LIST] do if s[LIST][i] > 0 then return gone(s, i - 1) end end
  return 0
end

-- Uses units. Returns the receipt.
local function charge(s, cost)
  if s[KIND] == 1 then
    s[A] = s[A] + cost * interval(s)
    return exact(now + s[A])
  end
  if s[KIND] == 2 then s[LIST][1] = s[LIST][1] + cost else s[LIST] = s[LIST] + cost end
  return exact(now + s[A])
end
local function chargeForeign(s, cost)
  if s[KIND] == 1 then
    s[A] = math.min(s[A] + cost * interval(s), math.max(s[A], full(s)))
  else
    charge(s, cost)
  end
end
local function credit(s, units)
  if s[KIND] == 1 then
    s[A] = math.max(0, s[A] - units * interval(s))
  elseif s[KIND] == 3 then
    -- The window goes on, even if nothing is left in it.
    s[LIST] = math.max(1e-9, s[LIST] - units)
  else
    local left = units
    for i = 1, #s[LIST] do
      local count = s[LIST][i]
      s[LIST][i] = math.max(0, count - left)
      left = math.max(0, left - count)
    end
  end
end

-- An order of all rules: by rate, then by what is granted at once, then any that never ties.
local function isLarger(s, o)
  local theirs = { s[LIMIT] / s[WINDOW], capacity(s), s[KIND], s[WINDOW], s[EXTRA] }
  local ours = { o[LIMIT] / o[WINDOW], capacity(o), o[KIND], o[WINDOW], o[EXTRA] }
  for i = 1, #ours do
    if theirs[i] ~= ours[i] then return theirs[i] > ours[i] end
  end
  return false
end

-- The state of a new rule: as much is used as of the existing one of which most is used, of two alike of the larger.
local function derive(kind, limit, window, extra)
  local source, most = nil, 0
  for i = 1, #states do
    local units = used(states[i])
    if units > most * MORE or source and units * MORE >= most and isLarger(states[i], source) then
      source, most = states[i], units
    end
  end
  local s = { kind, limit, window, extra, now }
  if kind == 1 then
    s[A] = math.min(most, extra) * interval(s)
    s[LIST] = {}
  elseif kind == 3 then
    s[A] = window
    s[LIST] = most
  else
    local length = segment(s)
    s[A] = length
    s[LIST] = {}
    for i = 1, extra + 1 do s[LIST][i] = 0 end
    if source and source[KIND] == 2 then
      for i = 1, #source[LIST] do
        local age = math.ceil(math.max(0, (i - 1) * segment(source) - source[A]) / length)
        if age <= extra then s[LIST][age + 1] = s[LIST][age + 1] + source[LIST][i] end
      end
    else
      s[LIST][1] = most
    end
  end
  return s
end
local function same(s, kind, limit, window, extra)
  return s[KIND] == kind and s[LIMIT] == limit and s[WINDOW] == window and s[EXTRA] == extra
end

local inUse = false
for i = 1, #states do
  sync(states[i])
  inUse = inUse or busy(states[i]) > 0
end
-- As after its expiry: no rule binds another when nothing is used.
if not inUse then states = {} end
local kind, limit = tonumber(ARGV[AT + 1]), tonumber(ARGV[AT + 2])
local window, extra = tonumber(ARGV[AT + 3]), tonumber(ARGV[AT + 4])
local mine = nil
for i = 1, #states do if same(states[i], kind, limit, window, extra) then mine = states[i] end end

-- The state of the rule asked for, and whether it is new. Rules no longer in use are dropped. That a rule
-- is in use is written now and then, when there are others, though nothing is taken.
local untold = false
local function ask()
  local created = mine == nil
  if created then mine = derive(kind, limit, window, extra) end
  local others = {}
  for i = 1, #states do
    local s = states[i]
    if s ~= mine and now - s[ASKED] <= recovery(s) then others[#others + 1] = s end
  end
  table.sort(others, function(a, b)
    if a[ASKED] ~= b[ASKED] then return a[ASKED] > b[ASKED] end
    return isLarger(a, b)
  end)
  local before = mine[ASKED]
  mine[ASKED] = now
  states = { mine }
  local shortest = recovery(mine)
  for i = 1, math.min(#others, MAX_RULES - 1) do
    states[#states + 1] = others[i]
    shortest = math.min(shortest, recovery(others[i]))
  end
  untold = #states > 1 and now - before > shortest / 8
  return created
end

-- Rules in use together: a call has to fit the larger ones as well, so that all of them let through no more
-- than the largest. They bind for no longer after their last use than the rule asked for can mean.
local larger = {}
local function compare()
  for i = 2, #states do
    local s = states[i]
    if now - s[ASKED] <= recovery(mine) and isLarger(s, mine) then
      larger[#larger + 1] = s
      larger[s] = true
    end
  end
end
local function heldBack(s, cost)
  local us = wait(s, math.min(cost, capacity(s)))
  return math.min(us, recovery(mine) - (now - s[ASKED]) + 1)
end
local function waitAll(cost)
  local us = wait(mine, cost)
  for i = 1, #larger do us = math.max(us, heldBack(larger[i], cost)) end
  return us
end
local function save()
  local longest = blocked
  for i = 1, #states do longest = math.max(longest, busy(states[i])) end
  if longest == 0 then
    if packed then redis.call('DEL', KEY) end
    return
  end
  local value = cmsgpack.pack({ 1, now, blocked, unpack(states) })
  redis.call('SET', KEY, value, 'PX', string.format('%.0f', math.ceil(longest / 1000) + 1))
end
`;

/** What {@link STATE} and {@link CALLS} work on, in a script that is for one limit. */
const WHOLE = `
local KEY, CALLERS, AT, LAST, DRY = KEYS[1], KEYS[2], 0, #ARGV, false
`;

/**
 * The calls of a request, one after another. Between its parts, a caller waits behind itself only. With DRY
 * nothing is taken, ahead of time neither: the answer says how long a call would have to wait, 0 if it would not.
 */
export const CALLS = `
local created = ask()
compare()
local queues, waiting = {}, {}
local taken, free = false, false
local answers = {}
for i = AT + 5, LAST, STEP do
  local cost, most, who = tonumber(ARGV[i]), tonumber(ARGV[i + 1]), whoOf(i)
  local queue = queues[who]
  local held, near
  if queue then held, near = queue.held, queue.near else held, near = termsOf(who, i) end
  local ahead = cost + (queue and queue.cost or 0)
  local enough = kind == 1 and math.huge or limit
  local us = math.max(waitAll(math.min(ahead, enough)), blocked)
  local room = us
  if held > 0 then room = waitAll(math.min(ahead + held, enough)) end
  local may = kind == 1 and not DRY and math.min(most, near) or 0
  -- A place can only be taken ahead where there are places.
  for j = 1, #larger do
    if larger[j][KIND] ~= 1 and heldBack(larger[j], ahead) > 0 then may = -1 end
  end
  local fits = not queue and blocked == 0 and room <= may
  if fits and DRY then
    answers = STEP == 4 and { 0, '', 0 } or { 0, '' }
    free = true
  elseif fits then
    for j = 2, #states do
      local s = states[j]
      if larger[s] and cost <= capacity(s) then charge(s, cost) else chargeForeign(s, cost) end
    end
    answers[#answers + 1] = math.ceil(us)
    answers[#answers + 1] = charge(mine, cost)
    if STEP == 4 then answers[#answers + 1] = 0 end
    took(who, i, cost)
    taken = true
  else
    local again = askAgain(us, near)
    if us <= most + 1 then
      if queue then
        queue.cost = queue.cost + cost
      else
        queues[who] = { cost = cost, held = held, near = near, ask = again, weight = tonumber(ARGV[i + 3]) }
        waiting[#waiting + 1] = who
      end
    end
    answers[#answers + 1] = -math.ceil(us)
    answers[#answers + 1] = ''
    if STEP == 4 then answers[#answers + 1] = math.ceil(again) end
  end
end
for i = 1, #waiting do waits(waiting[i], queues[waiting[i]]) end
keepShares()
if taken or setBack or untold or (created and used(mine) > 0) then save() end
local room, later = capacity(mine) - used(mine), busy(mine) > 0
for i = 1, #larger do
  room = math.min(room, capacity(larger[i]) - used(larger[i]))
  later = later or busy(larger[i]) > 0
end
local left = math.max(0, math.floor(room + 0.000001))
local growth = later and math.ceil(waitAll(math.min(capacity(mine), left + 1))) or 0
if blocked > 0 then left, growth = 0, math.ceil(blocked) end
return { left, growth, unpack(answers) }, free
`;

/**
 * Takes units for calls in their order.
 *
 * KEYS: the state. ARGV: kind, limit, window and extra of the rule, then cost and longest wait of each
 * call. Returns: units left, time until there are more, then for each call its wait (negative: when its
 * units are there, and nothing was taken) and its receipt.
 */
export const TAKE: Script = script(`${WHOLE}${STATE}${UNFAIR}${CALLS}`);

/**
 * As {@link TAKE}, with fair shares by caller. KEYS: the state, and what callers have had. ARGV: of each
 * call its caller and weight too. Returns for each call also when to ask again.
 */
export const TAKE_FAIR: Script = script(`${WHOLE}${STATE}${FAIR}${CALLS}`);

/** Gives units back. KEYS: the state. ARGV: the rule as of {@link TAKE}, receipt, cost. */
export const GIVE_BACK: Script = script(`${WHOLE}${STATE}
if mine == nil then return { 0 } end
local receipt, cost = tonumber(ARGV[5]), tonumber(ARGV[6])
if kind == 1 then
  local ends = receipt - now
  if not (ends > 0 and ends <= recovery(mine) + 1) then return { 0 } end
  table.insert(mine[LIST], ends)
  table.insert(mine[LIST], math.min(cost * interval(mine), ends))
  reclaim(mine)
elseif kind == 2 then
  local age = math.floor((now + mine[A] - receipt) / segment(mine) + 0.5)
  if age < 0 or age > extra then return { 0 } end
  mine[LIST][age + 1] = math.max(0, mine[LIST][age + 1] - cost)
else
  if math.abs(receipt - now - mine[A]) > 1 then return { 0 } end
  credit(mine, cost)
end
save()
return { 1 }
`);

/**
 * Changes the state. KEYS: the state, and what callers have had. ARGV: the rule as of {@link TAKE}, the change (`reset`, `block`,
 * `charge`), and its time or units.
 */
export const CHANGE: Script = script(`${WHOLE}${STATE}
local change, amount = ARGV[5], tonumber(ARGV[6])
if change == 'reset' then
  redis.call('DEL', KEYS[1], KEYS[2])
  return { 1 }
end
-- Of a key that is not kept, nothing can be given back.
if amount < 0 and #states == 0 then return { 1 } end
ask()
if change == 'block' then
  blocked = amount
else
  for i = 1, #states do
    local s = states[i]
    if amount < 0 then
      credit(s, -amount)
    else
      chargeForeign(s, math.min(amount, math.max(0, capacity(s) - used(s))))
    end
  end
end
save()
return { 1 }
`);
