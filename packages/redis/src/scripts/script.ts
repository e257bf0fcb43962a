import { createHash } from 'node:crypto';

/** A Lua script that runs atomically on the server, on one key. */
export interface Script {
  readonly source: string;
  /** Hash by which the server knows it. */
  readonly sha: string;
}

/**
 * Every script begins with the server's time in whole microseconds, `now`. Numbers are returned with
 * all their digits: Lua's own conversion keeps fourteen.
 */
const PRELUDE = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function exact(number)
  return string.format('%.17g', number)
end
local function keep(key, us)
  redis.call('PEXPIRE', key, string.format('%.0f', math.ceil(us / 1000) + 1))
end
`;

/** Creates a script from Lua source. */
export function script(lua: string): Script {
  const source = `${PRELUDE}${lua}`;
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}
