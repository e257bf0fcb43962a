import { createHash } from 'node:crypto';

/** A program that runs inside the server, atomically, on one key. */
export interface Script {
  readonly source: string;
  /** What the server knows it by. */
  readonly sha: string;
}

/**
 * Every script begins with the server's clock, in whole microseconds: `now`. Numbers go out with all
 * their digits, as Lua's own conversion keeps fourteen.
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

/** Makes a script of its Lua. */
export function script(lua: string): Script {
  const source = `${PRELUDE}${lua}`;
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}
