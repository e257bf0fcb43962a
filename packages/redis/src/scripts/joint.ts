import { FAIR, UNFAIR } from './fair.ts';
import { TAKE_CALLS } from './permits.ts';
import { CALLS, STATE } from './rate.ts';
import { type Script, script } from './script.ts';

/** What a limit is, in the arguments of {@link TAKE_ALL}. */
export const JOINT_KIND = { rate: 1, fairRate: 2, permits: 3 } as const;

/**
 * Takes from several limits, or from none. All are asked first, which takes nothing; if each of them has the
 * units, all are taken from, at the same instant.
 *
 * KEYS: of each limit, one after another, as of `TAKE`, `TAKE_FAIR` and `TAKE_PERMITS`. ARGV: of each its kind,
 * and the arguments of one call. Returns: whether it was taken, and what each of these scripts returns.
 */
export const TAKE_ALL: Script = script(`
local KINDS = {
  {
    keys = 1,
    args = 7,
    run = function(KEY, CALLERS, AT, LAST, DRY)${STATE}${UNFAIR}${CALLS}end,
  },
  {
    keys = 2,
    args = 9,
    run = function(KEY, CALLERS, AT, LAST, DRY)${STATE}${FAIR}${CALLS}end,
  },
  {
    keys = 1,
    args = 5,
    run = function(KEY, CALLERS, AT, LAST, DRY)${TAKE_CALLS}end,
  },
}
local function askAll(dry)
  local replies, free, key, at = {}, true, 1, 1
  while at <= #ARGV do
    local each = KINDS[tonumber(ARGV[at])]
    local reply, fits = each.run(KEYS[key], KEYS[key + 1], at, at + each.args - 1, dry)
    if reply[1] == -1 then return reply, nil end
    replies[#replies + 1] = reply
    free = free and fits
    key, at = key + each.keys, at + each.args
  end
  return replies, free
end
local replies, free = askAll(true)
if free == nil then return replies end
if free then replies = askAll(false) end
return { free and 1 or 0, unpack(replies) }
`);
