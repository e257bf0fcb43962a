// The rules of imports, clocks, timers and chance. A rule is a function from the files to its violations.
import { posix } from 'node:path';
import { findCircles, shortestPath } from './circles.mjs';
import { floorOf, isTest, packageOf, resolveImport } from './workspace.mjs';

/**
 * @typedef {object} Violation
 * @property {string} rule
 * @property {string} file
 * @property {number} line
 * @property {string} what the import or the use that is not allowed
 * @property {string} why
 *
 * @typedef {object} Source
 * @property {string} file
 * @property {import('./parse.mjs').Import[]} imports
 * @property {import('./parse.mjs').Use[]} uses
 */

/** What to do about a violation, by its rule. */
export const CURES = {
  unresolved:
    'Import an existing file with its extension, or an entry point that the package exports.',
  boundary: 'Import the other package by its name, through one of its entry points.',
  floor: 'Move what is shared to a lower floor, or take it as a value from the caller.',
  'test-code': 'Move what the source needs out of the test code.',
  circle: 'Move what both files need to a third one. Imports of types count.',
  otel: 'Move the call to telemetry.ts or a folder telemetry/, behind the observer.',
  'recovery-policy':
    'Take the policy as a value; only recovery/src/plan and recovery/src/fetch create policies.',
  'redis-types': 'Import only the types of the store port: `import type`.',
  'source-time': 'Take a Clock (and its schedule or sleep) from @temper/core.',
  'source-chance': 'Take a Random from @temper/core.',
  'test-time':
    'Use ManualClock and settle of @temper/testkit, or move a test of real processes to test/servers.',
};

const TELEMETRY_ROOM = /\/telemetry(\.ts|\/)/;
/** Folders behind entry points of their own; see docs/adr/0005. */
const BUILDERS = ['packages/recovery/src/plan/', 'packages/recovery/src/fetch/'];
const BUILT_BY_RECOVERY = ['retry', 'breaker'];
const PORTS_OF_REDIS = ['breaker', 'ratelimit'];

/**
 * @param {Source[]} sources
 * @param {import('./workspace.mjs').Package[]} packages
 * @returns {Violation[]} by file and line
 */
export function findViolations(sources, packages) {
  const files = new Set(sources.map(({ file }) => file));
  const exists = (file) => files.has(file) || file.endsWith('.d.ts') || !file.endsWith('.ts');
  const edges = sources.flatMap(({ file, imports }) =>
    imports.map((one) => ({
      ...one,
      from: file,
      target: resolveImport(packages, file, one.specifier, exists),
    })),
  );
  return [
    ...edges.flatMap((edge) => judgeImport(edge, packages)),
    ...circles(edges),
    ...sources.flatMap((source) => judgeUses(source)),
  ].sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
}

function judgeImport(edge, packages) {
  const { from, specifier, line, target } = edge;
  const violation = (rule, why) => ({ rule, file: from, line, what: specifier, why });
  const home = packageOf(packages, from);
  if (target.missing) return [violation('unresolved', 'leads to no file')];
  if (target.external !== undefined) {
    const outside =
      home.folder.startsWith('packages/') && !isTest(from) && !TELEMETRY_ROOM.test(from);
    return outside && target.external.startsWith('@opentelemetry/')
      ? [violation('otel', 'OpenTelemetry is used in the telemetry rooms only')]
      : [];
  }
  const other = packageOf(packages, target.file);
  const found = [];
  if (other !== home && specifier.startsWith('.'))
    found.push(violation('boundary', `leaves ${home.folder} for a file of ${other?.folder}`));
  if (isTest(from)) return found;
  if (isTest(target.file)) found.push(violation('test-code', 'source code imports test code'));
  if (home === other) return [...found, ...recoveryPolicy(edge, violation)];
  if (other?.name === 'testkit')
    return [...found, violation('test-code', 'source code imports the test kit')];
  if (floorOf(other?.name) >= floorOf(home.name))
    found.push(
      violation(
        'floor',
        `${home.name} stands on floor ${floorOf(home.name)}, ${other?.name} on floor ${floorOf(other?.name)}`,
      ),
    );
  if (home.name === 'redis' && PORTS_OF_REDIS.includes(other.name) && !edge.typeOnly)
    found.push(violation('redis-types', `takes code of ${other.name}, not only its types`));
  if (home.name === 'recovery' && BUILT_BY_RECOVERY.includes(other.name))
    if (builderOf(from) === undefined)
      found.push(violation('recovery-policy', `depends on ${other.name}`));
  return found;
}

function builderOf(file) {
  return BUILDERS.find((folder) => file.startsWith(folder));
}

/** A file that imports a builder depends on all that the builder creates. */
function recoveryPolicy({ from, target }, violation) {
  const entered = builderOf(target.file);
  if (entered === undefined || entered === builderOf(from)) return [];
  return [violation('recovery-policy', `enters ${entered}, and so depends on retry and breaker`)];
}

/** Each import that is part of a circle, with the shortest way back. */
function circles(edges) {
  const graph = new Map();
  for (const { from, target } of edges) {
    if (target.file === undefined) continue;
    if (!graph.has(from)) graph.set(from, new Set());
    graph.get(from).add(target.file);
  }
  return findCircles(graph).flatMap((members) =>
    edges
      .filter(({ from, target }) => members.includes(from) && members.includes(target.file))
      .map(({ from, specifier, line, target }) => {
        const way = [from, ...shortestPath(graph, target.file, from)].map((file) =>
          posix.relative(posix.dirname(from), file),
        );
        return { rule: 'circle', file: from, line, what: specifier, why: way.join(' → ') };
      }),
  );
}

function judgeUses({ file, uses }) {
  const violation = ({ kind, what, line }) => {
    if (isTest(file)) {
      if (kind === 'random' || file.includes('/test/servers/')) return [];
      return [{ rule: 'test-time', file, line, what, why: `a unit test uses a real ${kind}` }];
    }
    // Apps and benchmarks run in real time.
    if (!file.startsWith('packages/')) return [];
    if (kind === 'random')
      return [
        { rule: 'source-chance', file, line, what, why: 'draws a number that no test can set' },
      ];
    return [{ rule: 'source-time', file, line, what, why: `uses a ${kind} that no test can move` }];
  };
  return uses.flatMap(violation);
}
