import { type Script, script } from './script.ts';

/**
 * The fleet's circuit is a hash: generation, whether it is open and until when, successes in a row, the
 * lease of the running trial, and for each node `n:<name>` its report, "open|open until|valid until".
 * Does the same as `MemoryBreakerStore` of `@temper/breaker`, which a property test compares it with.
 */
const CIRCUIT = `
local circuit = { g = 0, o = 0, u = 0, s = 0, l = '', lu = 0, c = 0 }
local nodes = {}
local fields = redis.call('HGETALL', KEYS[1])
local function number(text)
  return tonumber(text) or 0
end
for i = 1, #fields, 2 do
  local name, value = fields[i], fields[i + 1]
  if string.sub(name, 1, 2) == 'n:' then
    local open, openUntil, validUntil = string.match(value, '^(%d)|(%d+)|(%d+)$')
    nodes[name] = { open = open == '1', openUntil = number(openUntil), validUntil = number(validUntil) }
  elseif name == 'l' then
    circuit.l = value
  else
    circuit[name] = number(value)
  end
end
local changed = {}
local function whole(value)
  return string.format('%.0f', value)
end
local function census()
  local count, open = 0, 0
  for name, node in pairs(nodes) do
    if now >= node.validUntil then
      nodes[name] = nil
      redis.call('HDEL', KEYS[1], name)
    else
      count = count + 1
      if node.open then open = open + 1 end
    end
  end
  return count, open
end
local function reopen(moment)
  circuit.g = circuit.g + 1
  circuit.o = 1
  circuit.u = moment
  circuit.s = 0
  circuit.l = ''
  circuit.lu = 0
end
local function save()
  local all = { 'l', circuit.l }
  for _, name in ipairs({ 'g', 'o', 'u', 's', 'lu', 'c' }) do
    all[#all + 1] = name
    all[#all + 1] = whole(circuit[name])
  end
  redis.call('HSET', KEYS[1], unpack(all))
  for name in pairs(changed) do
    local node = nodes[name]
    if node then
      local text = (node.open and '1' or '0') .. '|' .. whole(node.openUntil) .. '|' .. whole(node.validUntil)
      redis.call('HSET', KEYS[1], name, text)
    end
  end
  -- After a day without a report no node remembers the generation.
  keep(KEYS[1], math.max(86400000000, circuit.u - now))
end
local function fleet()
  local count, open = census()
  local state = 'closed'
  if circuit.o == 1 then state = now < circuit.u and 'open' or 'half-open' end
  local remaining = state == 'open' and math.ceil(circuit.u - now) or 0
  return { circuit.g, state, remaining, count, open }
end
`;

/** ARGV: node, open, generation, µs it is open for, µs it is valid for, quorum, least nodes. */
export const REPORT: Script = script(`${CIRCUIT}
local open = ARGV[2] == '1' and tonumber(ARGV[3]) >= circuit.g
nodes['n:' .. ARGV[1]] = { open = open, openUntil = now + ARGV[4], validUntil = now + ARGV[5] }
changed['n:' .. ARGV[1]] = true
local count, opened = census()
if circuit.o == 0 and opened >= tonumber(ARGV[7]) and opened > count * ARGV[6] then
  local moment = now
  for _, node in pairs(nodes) do
    if node.open and node.openUntil > moment then moment = node.openUntil end
  end
  reopen(moment)
end
save()
return fleet()
`);

/** ARGV: µs of a lease. Returns verdict, lease, µs until another request can succeed, then the fleet. */
export const TAKE_TRIAL: Script = script(`${CIRCUIT}
local state = fleet()
if circuit.o == 0 then return { 'alone', '', 0, unpack(state) } end
local busy = math.max(circuit.u, circuit.lu)
if now < busy then return { 'refused', '', math.ceil(busy - now), unpack(state) } end
circuit.c = circuit.c + 1
-- Unique even after the server has lost its data and counts from one again.
circuit.l = whole(now) .. '-' .. whole(circuit.c)
circuit.lu = now + ARGV[1]
save()
return { 'leased', circuit.l, 0, unpack(state) }
`);

/** ARGV: lease, verdict, µs to open again for, successes that close. Returns the fleet. */
export const END_TRIAL: Script = script(`${CIRCUIT}
if circuit.l ~= '' and circuit.l == ARGV[1] and now < circuit.lu then
  circuit.l = ''
  circuit.lu = 0
  if ARGV[2] == 'failure' then
    reopen(now + ARGV[3])
  elseif ARGV[2] == 'success' then
    circuit.s = circuit.s + 1
    if circuit.s >= tonumber(ARGV[4]) then
      circuit.g = circuit.g + 1
      circuit.o = 0
      circuit.s = 0
      for name, node in pairs(nodes) do
        if node.open then changed[name] = true end
        node.open = false
      end
    end
  end
  save()
end
return fleet()
`);
