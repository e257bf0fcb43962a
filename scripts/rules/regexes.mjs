// Finds the regular expressions of what runs in production, and tells whether one of them can take more
// than linear time.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseSync, visitorKeys } from 'oxc-parser';
import { isTest, listFiles, ROOT } from './workspace.mjs';

/** The build of Recheck for browsers: JavaScript alone, without Java, binaries and worker threads. */
const require = createRequire(import.meta.url);
const { checkSync } = require(join(require.resolve('recheck'), '../lib/browser.js'));

/**
 * Files that build expressions from values known at run time only, with the reason why no caller can make
 * one of them slow. Every other `new RegExp` must run when its module is loaded, and is judged as a literal is.
 */
const BUILT_AT_RUN_TIME = {
  'apps/parsercraft/src/parse/vocabulary.ts':
    'escaped delimiters of a language, all of them sticky',
  'packages/audit/src/log/intake/redaction.ts': 'a pattern of the operator, who is trusted',
  'packages/health/src/cgroup.ts': 'one of two words; the file is from the kernel',
  'packages/ratelimit/src/http/addresses.ts': 'zeros and colons out of an address of IPv6',
  'packages/shutdown/src/server/proc-net-tcp.ts': 'a port; the file is from the kernel',
};

const isProduct = (file) =>
  /^(?:packages|apps)\/[^/]+\/src\/|^observability\/src\//.test(file) && !isTest(file);

/** @returns {string} `/source/flags`, the name of an expression in regexes.json */
const named = (source, flags) => `/${source}/${flags}`;

/**
 * @typedef {object} Expression
 * @property {string} name `/source/flags`
 * @property {string} source
 * @property {string} flags
 * @property {string} file the first that has it
 */

/**
 * @param {string} file only to tell TypeScript from JavaScript
 * @param {string} text
 * @returns {{ literals: { source: string, flags: string }[], constructed: number }}
 */
export function regexesIn(file, text) {
  const literals = [];
  let constructed = 0;
  const visit = (node) => {
    if (node.type === 'Literal' && node.regex) {
      literals.push({ source: node.regex.pattern, flags: node.regex.flags });
    }
    const calls = node.type === 'NewExpression' || node.type === 'CallExpression';
    if (calls && node.callee.type === 'Identifier' && node.callee.name === 'RegExp') constructed++;
    for (const key of visitorKeys[node.type] ?? []) {
      for (const child of [node[key]].flat()) if (child?.type) visit(child);
    }
  };
  visit(parseSync(file, text).program);
  return { literals, constructed };
}

/** What `new RegExp` makes while a module is loaded. */
async function constructedBy(file) {
  const Native = globalThis.RegExp;
  const made = [];
  globalThis.RegExp = new Proxy(Native, {
    construct(target, args, newTarget) {
      const expression = Reflect.construct(target, args, newTarget);
      if (new Error().stack.includes(file)) made.push(expression);
      return expression;
    },
  });
  try {
    await import(/* @vite-ignore */ pathToFileURL(join(ROOT, file)).href);
  } finally {
    globalThis.RegExp = Native;
  }
  return made.map(({ source, flags }) => ({ source, flags }));
}

/**
 * Every regular expression of the packages, the apps and observability, each once.
 *
 * @returns {Promise<{ expressions: Expression[], unknown: string[], idle: string[] }>} `unknown` are the
 *   files that construct an expression nobody could see; `idle` those of {@link BUILT_AT_RUN_TIME} that do not
 */
export async function listRegexes() {
  const expressions = new Map();
  const unknown = [];
  const idle = new Set(Object.keys(BUILT_AT_RUN_TIME));
  for (const file of listFiles().filter(isProduct)) {
    const { literals, constructed } = regexesIn(file, readFileSync(join(ROOT, file), 'utf8'));
    const found = literals;
    if (idle.has(file) && constructed > 0) {
      idle.delete(file);
    } else if (constructed > 0) {
      const made = await constructedBy(file);
      if (made.length < constructed) unknown.push(file);
      found.push(...made);
    }
    for (const { source, flags } of found) {
      const name = named(source, flags);
      if (!expressions.has(name)) expressions.set(name, { name, source, flags, file });
    }
  }
  return { expressions: [...expressions.values()], unknown, idle: [...idle] };
}

/** Milliseconds of this process's own CPU that the engine needs, the least of some tries. */
function cost({ source, flags }, text) {
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 5; attempt++) {
    const expression = new RegExp(source, flags);
    const begin = process.cpuUsage();
    text.replace(expression, '');
    const { user, system } = process.cpuUsage(begin);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}

/**
 * Whether an attack that Recheck made up is one on this engine: twice the attack takes more than three times as
 * long. Recheck extrapolates from short texts, where a repetition with a bound, as in `[^@]{0,256}`, looks like
 * one without.
 */
function growsFaster(expression, { pumps, suffix }) {
  const text = (times) =>
    pumps.map(({ prefix, pump }) => prefix + pump.repeat(times)).join('') + suffix;
  for (let times = 32; times <= 1_000_000; times *= 2) {
    const base = cost(expression, text(times));
    // Below this the clock tells nothing. Above it a bound of a repetition is reached long since.
    if (base >= 20) return cost(expression, text(times * 2)) > base * 3;
  }
  return false;
}

/**
 * Judges one expression: by its automaton where it has one, or else (lookaround, back references) by
 * searching for an attack.
 *
 * @param {{ source: string, flags: string }} expression
 * @returns {{ linear: boolean, why: string }} `why` begins with the method
 */
export function judge(expression) {
  const { source, flags } = expression;
  const result = checkSync(source, flags, { randomSeed: 1, timeout: 120_000 });
  if (result.status === 'safe') return { linear: true, why: result.checker };
  if (result.status === 'unknown') return { linear: false, why: `unknown: ${result.error.kind}` };
  const { type, summary } = result.complexity;
  const extrapolated = result.checker === 'fuzz' && type === 'polynomial';
  if (extrapolated && !growsFaster(expression, result.attack)) {
    return { linear: true, why: 'engine' };
  }
  return { linear: false, why: `${result.checker}: ${summary}, by ${result.attack.pattern}` };
}
