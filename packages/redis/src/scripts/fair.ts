/**
 * What callers have had of a limit, as `FairShares` of `@temper/ratelimit` has it: `{ version, at, caller... }`,
 * a caller being its hash, the units it had, its weight, the units it waits for, and until when it is
 * waited for. In a key of its own beside the state, so that a limit without fair order does not read it.
 */
export const FAIR = `
local STEP = 4
local SHORT_AHEAD, ASK, NOTHING, MAX_CALLERS = AHEAD / 10, AHEAD / 20, 0.01, 64
local UNITS, WEIGHT, WANTED, UNTIL = 1, 2, 3, 4
local memory = kind == 1 and math.max(1000000, window / limit) or window
local grace = math.min(250000, memory / 4)
local shares, callers = {}, 0
local kept = redis.call('GET', CALLERS)
if kept then
  local read, list = pcall(cmsgpack.unpack, kept)
  if read and type(list) == 'table' and list[1] == 1 then
    local left = math.exp(-math.max(0, now - list[2]) / memory)
    for i = 3, #list, 5 do
      local s = { list[i + 1] * left, list[i + 2], list[i + 3], math.min(list[i + 4], now + memory + grace) }
      if s[UNTIL] <= now then s[WANTED] = 0 end
      if s[WANTED] > 0 or s[UNITS] >= NOTHING then
        shares[list[i]] = s
        callers = callers + 1
      end
    end
  end
end

local names = {}
local function whoOf(i)
  local caller = ARGV[i + 2]
  if not names[caller] then names[caller] = string.sub(redis.sha1hex(caller), 1, 16) end
  return names[caller]
end
local function forgetLeast()
  local least, units = nil, math.huge
  for who, s in pairs(shares) do
    if s[UNITS] < units then least, units = who, s[UNITS] end
  end
  shares[least] = nil
  callers = callers - 1
end
local function shareOf(who, weight)
  if not shares[who] then
    if callers >= MAX_CALLERS then forgetLeast() end
    shares[who] = { 0, weight, 0, 0 }
    callers = callers + 1
  end
  shares[who][WEIGHT] = weight
  return shares[who]
end

-- The max-min fair share of a caller of weight 1, where who waits wants without end.
local function level(asking)
  local total, weights, sated = 0, 0, {}
  for _, s in pairs(shares) do
    total = total + s[UNITS]
    weights = weights + s[WEIGHT]
    if s ~= asking and s[WANTED] == 0 then sated[#sated + 1] = s end
  end
  local free = math.max(0, capacity(mine) - used(mine))
  local left = math.max(total + free, limit / window * memory)
  table.sort(sated, function(a, b) return a[UNITS] / a[WEIGHT] < b[UNITS] / b[WEIGHT] end)
  for i = 1, #sated do
    local s = sated[i]
    if s[UNITS] / s[WEIGHT] >= left / weights then break end
    left = left - s[UNITS]
    weights = weights - s[WEIGHT]
  end
  return left / weights
end

-- Units that are left to others, and how far ahead a place may be.
local function termsOf(who, i)
  local own = shareOf(who, tonumber(ARGV[i + 3]))
  if callers == 1 then return 0, AHEAD end
  local each = level(own)
  local share = each * own[WEIGHT]
  local ahead = own[UNITS] >= share / 2 and SHORT_AHEAD or AHEAD
  if own[UNITS] < share then return 0, ahead end
  local held = 0
  for _, s in pairs(shares) do
    if s ~= own then held = held + math.max(0, math.min(s[WANTED], each * s[WEIGHT] - s[UNITS])) end
  end
  return held, ahead
end
local function took(who, i, cost)
  local s = shareOf(who, tonumber(ARGV[i + 3]))
  s[UNITS] = s[UNITS] + cost
  s[WANTED] = math.max(0, s[WANTED] - cost)
end
local function askAgain(us, ahead)
  if kind == 1 then return math.max(ASK, us - ahead) end
  return us > 0 and us or math.min(ASK, memory / 10)
end
local function waits(who, queue)
  local s = shareOf(who, queue.weight)
  s[WANTED] = kind == 1 and queue.cost or 1e15
  s[UNTIL] = now + math.min(queue.ask, memory) + grace
end
local function keepShares()
  local list = { 1, now }
  for who, s in pairs(shares) do
    list[#list + 1] = who
    for j = 1, 4 do list[#list + 1] = s[j] end
  end
  if #list == 2 then return end
  redis.call('SET', CALLERS, cmsgpack.pack(list), 'PX', string.format('%.0f', math.ceil(memory / 100) + 1))
end
`;

/** In place of {@link FAIR} where callers are not told apart. */
export const UNFAIR = `
local STEP = 2
local function whoOf() return '' end
local function termsOf() return 0, AHEAD end
local function took() end
local function askAgain() return 0 end
local function waits() end
local function keepShares() end
`;
