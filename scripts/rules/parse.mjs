// Reads out of one TypeScript file what the rules ask about: its imports, and where it reads a clock,
// starts a timer or draws a random number.
import { parseSync, visitorKeys } from 'oxc-parser';

const TIMERS = ['setTimeout', 'setInterval', 'setImmediate'];
/** Globals by their dotted name, each with the kind it is of. */
const USES = new Map([
  ...TIMERS.map((name) => [name, 'timer']),
  ['AbortSignal.timeout', 'timer'],
  ['Atomics.wait', 'timer'],
  ['Atomics.waitAsync', 'timer'],
  ['Date.now', 'clock'],
  ['performance.now', 'clock'],
  ['process.hrtime', 'clock'],
  ['process.hrtime.bigint', 'clock'],
  ['process.uptime', 'clock'],
  ['Math.random', 'random'],
]);
const TIMER_MODULES = new Set(['node:timers', 'timers', 'node:timers/promises', 'timers/promises']);
const PERFORMANCE_MODULES = new Set(['node:perf_hooks', 'perf_hooks']);
const PATTERNS = new Set(['ObjectPattern', 'ArrayPattern', 'RestElement', 'AssignmentPattern']);
const GLOBAL_OBJECTS = new Set(['globalThis', 'global', 'window', 'self']);
/** Files without these words hold nothing that only the syntax tree tells. */
const NEEDS_TREE =
  /\b(set(Timeout|Interval|Immediate)|AbortSignal|Atomics|Date|performance|process|Math|import\s*\()/;
/** Type syntax that holds an expression which runs. */
const RUNNING_TYPE_SYNTAX = new Set([
  'TSAsExpression',
  'TSSatisfiesExpression',
  'TSNonNullExpression',
  'TSTypeAssertion',
  'TSInstantiationExpression',
  'TSParameterProperty',
  'TSExportAssignment',
]);

/**
 * @typedef {object} Import
 * @property {string} specifier
 * @property {number} line
 * @property {boolean} typeOnly nothing of it is left at run time
 *
 * @typedef {object} Use
 * @property {'timer' | 'clock' | 'random'} kind
 * @property {string} what `setTimeout`, `Date.now`, `node:timers/promises`
 * @property {number} line
 *
 * @param {string} file only for the error message and to tell TypeScript from JavaScript
 * @param {string} text
 * @returns {{ imports: Import[], uses: Use[] }}
 * @throws {Error} when the file does not parse
 */
export function parseFile(file, text) {
  // `program` is read below only where it must be: reading it builds the whole syntax tree.
  const result = parseSync(file, text);
  const { module, errors } = result;
  const lineOf = lineCounter(text);
  if (errors.length > 0) {
    const line = lineOf(errors[0].labels[0]?.start ?? 0);
    throw new Error(`${file}:${line} does not parse: ${errors[0].message}`);
  }
  const imports = staticImports(module, lineOf);
  const uses = usesByImport(module, lineOf);
  // Names that the file declares are not the globals. A performance object from node:perf_hooks is.
  const declared = new Set(
    module.staticImports.flatMap(({ entries }) => entries.map(({ localName }) => localName.value)),
  );
  declared.delete('performance');

  const use = (kind, what, node, root) => uses.push({ kind, what, line: lineOf(node.start), root });

  if (!NEEDS_TREE.test(text)) return { imports, uses };
  walk(result.program, {
    declared: (name) => declared.add(name),
    reference: (node) => {
      const path = dottedName(node);
      const kind = USES.get(path);
      if (kind !== undefined) use(kind, path, node, rootName(node));
      return kind !== undefined;
    },
    typeImport: (node) => {
      imports.push({ specifier: node.source.value, line: lineOf(node.start), typeOnly: true });
    },
    dynamicImport: (node) => {
      if (typeof node.source.value !== 'string') return;
      imports.push({ specifier: node.source.value, line: lineOf(node.start), typeOnly: false });
      if (TIMER_MODULES.has(node.source.value)) use('timer', node.source.value, node);
    },
    call: (node) => {
      const name = node.callee.type === 'Identifier' ? node.callee.name : undefined;
      if (name !== 'Date') return;
      if (node.type === 'CallExpression') use('clock', 'Date()', node);
      else if (node.arguments.length === 0) use('clock', 'new Date()', node);
    },
    destructured: (object, key, node) => {
      const owner = dottedName(object);
      if (owner === undefined) return;
      const path = GLOBAL_OBJECTS.has(owner) ? key : `${owner}.${key}`;
      const kind = USES.get(path);
      if (kind !== undefined) use(kind, path, node, rootName(object));
    },
  });
  return {
    imports: imports.sort((a, b) => a.line - b.line),
    uses: uses
      .filter(({ root }) => root === undefined || !declared.has(root))
      .map(({ kind, what, line }) => ({ kind, what, line }))
      .sort((a, b) => a.line - b.line),
  };
}

function staticImports(module, lineOf) {
  const found = module.staticImports.map(({ start, moduleRequest, entries }) => ({
    specifier: moduleRequest.value,
    line: lineOf(start),
    typeOnly: entries.length > 0 && entries.every(({ isType }) => isType),
  }));
  for (const { start, entries } of module.staticExports) {
    const [first] = entries;
    if (first?.moduleRequest == null) continue;
    const typeOnly = entries.every(({ isType }) => isType);
    found.push({ specifier: first.moduleRequest.value, line: lineOf(start), typeOnly });
  }
  return found;
}

function usesByImport(module, lineOf) {
  return module.staticImports.flatMap(({ start, moduleRequest, entries }) => {
    const line = lineOf(start);
    const typeOnly = entries.length > 0 && entries.every(({ isType }) => isType);
    if (TIMER_MODULES.has(moduleRequest.value) && !typeOnly)
      return [{ kind: 'timer', what: moduleRequest.value, line }];
    // Under another name its reads could not be told from those of any other object.
    const renamed = entries.some(
      ({ importName, localName }) =>
        importName.name === 'performance' && localName.value !== 'performance',
    );
    return PERFORMANCE_MODULES.has(moduleRequest.value) && renamed
      ? [{ kind: 'clock', what: moduleRequest.value, line }]
      : [];
  });
}

/** `a.b.c` of an identifier or a chain of members, without a leading `globalThis`. */
function dottedName(node) {
  if (node.type === 'Identifier') return node.name;
  // Parentheses, casts and optional chains.
  if (node.expression !== undefined) return dottedName(node.expression);
  if (node.type !== 'MemberExpression') return undefined;
  const key = node.computed ? node.property.value : node.property.name;
  const owner = dottedName(node.object);
  if (typeof key !== 'string' || owner === undefined) return undefined;
  return GLOBAL_OBJECTS.has(owner) ? key : `${owner}.${key}`;
}

/** The variable that a chain of members begins with. */
function rootName(node) {
  if (node.type === 'Identifier') return node.name;
  return rootName(node.object ?? node.expression);
}

function walk(node, listener) {
  if (node.type === 'ImportDeclaration') return;
  if (PATTERNS.has(node.type)) return walkPattern(node, listener);
  if (node.type === 'TSImportType') listener.typeImport(node);
  if (node.type.startsWith('TS') && !RUNNING_TYPE_SYNTAX.has(node.type)) {
    for (const child of childrenOf(node)) walkTypes(child, listener);
    return;
  }
  if (node.type === 'ImportExpression') listener.dynamicImport(node);
  if (node.type === 'CallExpression' || node.type === 'NewExpression') listener.call(node);
  if (node.type === 'VariableDeclarator' && node.init && node.id.type === 'ObjectPattern') {
    for (const { key } of node.id.properties)
      if (key?.type === 'Identifier') listener.destructured(node.init, key.name, node);
  }
  if (node.type === 'Identifier') listener.reference(node);
  if (node.type === 'MemberExpression' && listener.reference(node)) return;
  for (const [key, child] of keyedChildrenOf(node)) {
    if (isBinding(node, key)) walkPattern(child, listener);
    else if (!isName(node, key)) walk(child, listener);
  }
}

/** What a declaration or a parameter binds: its names are new, its defaults and computed keys run. */
function walkPattern(node, listener) {
  if (node.type === 'Identifier') listener.declared(node.name);
  for (const [key, child] of keyedChildrenOf(node)) {
    if (key === 'key') {
      if (node.computed) walk(child, listener);
    } else if (key === 'right' || key === 'decorators') walk(child, listener);
    else if (key === 'typeAnnotation') walkTypes(child, listener);
    else walkPattern(child, listener);
  }
}

/** Within types nothing runs; only `import('…')` types are looked for. */
function walkTypes(node, listener) {
  if (node.type === 'TSImportType') listener.typeImport(node);
  for (const child of childrenOf(node)) walkTypes(child, listener);
}

/** Whether a child is only the name of a member, a key or a label, not a reference to a variable. */
const isName = (node, key) =>
  key === 'label' || ((key === 'property' || key === 'key') && node.computed !== true);

/** Whether a child declares names. */
const isBinding = (node, key) =>
  key === 'params' ||
  key === 'param' ||
  (key === 'id' && node.type !== 'TSEnumMember') ||
  (key === 'left' && /^For(In|Of)Statement$/.test(node.type) && PATTERNS.has(node.left.type));

const childrenOf = (node) => keyedChildrenOf(node).map(([, child]) => child);

function keyedChildrenOf(node) {
  return (visitorKeys[node.type] ?? []).flatMap((key) =>
    [node[key]].flat().flatMap((child) => (child?.type ? [[key, child]] : [])),
  );
}

function lineCounter(text) {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle] <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  };
}
