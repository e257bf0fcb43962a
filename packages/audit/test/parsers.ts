import type { Parser } from '@temper/testkit/repository/fuzz';
import { canonicalize, type JsonValue } from '../src/chain/canonical-json.ts';
import { openCheckpoint, parseCheckpoint } from '../src/chain/checkpoint.ts';
import { checkLine, Draft, genesis, parseLine } from '../src/chain/hash-chain.ts';
import { lineSequence, lineTimestamp } from '../src/chain/line-fields.ts';
import { parseNote } from '../src/chain/signed-note.ts';
import { noteVerifier, openSecretKey } from '../src/chain/signing-key.ts';
import { csvRecord } from '../src/cli/csv.ts';
import { UsageError } from '../src/cli/exit-codes.ts';
import { queryFrom } from '../src/cli/filters.ts';
import { AuditCorruptError } from '../src/errors.ts';
import { maskValues } from '../src/log/intake/secret-values.ts';
import { decodeCursor } from '../src/read/cursor.ts';
import { storedAnchor, storedCheckpoint, storedJson } from '../src/sinks/stored-state.ts';
import { parseAddCheckpoint } from '../src/witness/add-checkpoint.ts';
import { cosignaturesOf, cosignatureVerifier } from '../src/witness/cosignature.ts';

function holds(law: boolean, what: string): void {
  if (!law) throw new Error(what);
}

const isTypeError = (error: unknown): boolean => error instanceof TypeError;

// Keys and signatures that are always the same, so that a seed gives the same texts.
const SECRET =
  'PRIVATE+KEY+example.com/audit+29b87bfc+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f';
const HASH = 'a'.repeat(64);
const SIGNATURE = Buffer.alloc(68, 0xd4).toString('base64');
const NOTE = `example.com/audit\n2\n${Buffer.alloc(32, 7).toString('base64')}\n\n— example.com/audit ${SIGNATURE}\n`;
const PROOF = Buffer.alloc(32, 9).toString('base64');

const LINE = new Draft(
  {
    v: 2,
    sequence: 0,
    id: '01890a5d-ac96-774b-bcce-b302099a8057',
    log: '',
    timestamp: '2026-01-01T00:00:00.000Z',
    eventType: 'deploy',
    action: 'start',
    resource: 'service "a"',
    status: 'success',
    actor: { id: 'u1', name: 'Ü' },
    details: {},
    prev: '',
    hash: '',
  } as never,
  '{"a":[1,{"b":null}],"c":"=1+1"}',
).seal(genesis('log-1')).line;

const json = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** The parsers of text from elsewhere, with the laws that hold for every text. */
export const PARSERS: readonly Parser[] = [
  {
    name: 'lines of events',
    accepted: [LINE],
    refused: [
      '',
      'null',
      '{}',
      ` ${LINE}`,
      LINE.replace('deploy', 'Deploy'),
      LINE.replace('"a":[1', '"a":[1.0'),
      LINE.replace('{"action"', '{"action":"x","action"'),
    ],
    parse: (text) => {
      const checked = checkLine(text);
      lineSequence(text);
      lineTimestamp(text);
      if (checked.fault === undefined) {
        // SHA-256 says so.
        holds(text === LINE, 'nobody finds another line with a hash that fits');
        return checked.event;
      }
      holds(checked.message.length < 600, 'a bounded message');
      return undefined;
    },
  },
  {
    name: 'lines of events that are not verified',
    accepted: [LINE],
    refused: ['[]', '{"v":2}', LINE.replace('"v":2', '"v":3')],
    refusal: isTypeError,
    parse: (text) => {
      const event = parseLine(text);
      holds(!/^[=+\-@\t\r]/.test(csvRecord(event)), 'a record of CSV');
      return event;
    },
  },
  {
    name: 'canonical JSON',
    accepted: ['{"b":1,"a":[true,null,"x\\u2028"]}', '1e21', '-0', '"\\u00fc"'],
    refused: ['{', '"\\ud800"'],
    refusal: isTypeError,
    parse: (text) => {
      const value = json(text);
      if (value === undefined) return undefined;
      const canonical = canonicalize(value as JsonValue);
      holds(canonicalize(JSON.parse(canonical)) === canonical, 'the same again');
      return canonical;
    },
  },
  {
    name: 'signed notes and checkpoints',
    accepted: [NOTE],
    refused: ['', '\n\n', NOTE.replace('2\n', '02\n'), NOTE.trimEnd(), NOTE.replace('—', '-')],
    refusal: isTypeError,
    parse: (text) => {
      const { signatures } = parseNote(text);
      holds(signatures.length <= 100, `${signatures.length} signatures`);
      try {
        openCheckpoint(text, [noteVerifierOf(SECRET)]);
        holds(false, 'nobody forges a signature');
      } catch (error) {
        if (!isTypeError(error)) throw error;
      }
      holds(cosignaturesOf(text, []).length === 0, 'no witness is known');
      return parseCheckpoint(text);
    },
  },
  {
    name: 'keys of signatures',
    accepted: [SECRET],
    refused: ['', 'PRIVATE+KEY+a+b+c', SECRET.replace('/audit+', '/other+'), `${SECRET}=`],
    refusal: isTypeError,
    parse: (text) => {
      for (const open of [noteVerifier, cosignatureVerifier]) {
        try {
          open(text);
        } catch (error) {
          if (!isTypeError(error)) throw error;
        }
      }
      return openSecretKey(text);
    },
  },
  {
    name: 'requests to a witness',
    accepted: [`old 1\n${PROOF}\n\n${NOTE}`, `old 0\n\n${NOTE}`],
    refused: [
      'old\n\n',
      'old 01\n\n',
      `old 1\n${PROOF.slice(1)}\n\n`,
      `old 1\n${PROOF}\n`.repeat(70),
    ],
    refusal: isTypeError,
    parse: (text) => {
      const { old, proof } = parseAddCheckpoint(text);
      holds(Number.isSafeInteger(old) && proof.length <= 63, 'bounded');
      return proof;
    },
  },
  {
    name: 'cursors of queries',
    accepted: ['ZGVzYzphZnRlcjoxMg', 'ZGVzYzpiZWZvcmU6OTk'],
    refused: ['', 'YXNjOmFmdGVyOjEy', '!!'],
    refusal: isTypeError,
    parse: (text) => decodeCursor(text, 'desc'),
  },
  {
    name: 'state that a sink has stored',
    accepted: [
      `{"sequence":3,"hash":"${HASH}","log":"l","frontier":["${HASH}","${HASH}"]}`,
      `{"sequence":1,"hash":"${HASH}"}`,
    ],
    refused: [
      '',
      '{}',
      'null',
      `{"sequence":0,"hash":"${HASH}"}`,
      `{"sequence":3,"hash":"${HASH}","frontier":[]}`,
    ],
    refusal: (error) => error instanceof AuditCorruptError && error.message.length < 1000,
    parse: (text) => {
      const value = storedJson('files', 'anchor', text);
      storedCheckpoint(value);
      return storedAnchor('files', 'anchor', value);
    },
  },
  {
    name: 'secrets in text of details',
    accepted: [
      'X-Api-Key: abc\nAuthorization: Basic YTpi\r\ncard 4111 1111 1111 1111',
      `{"password":"a\\"b", 'token' => 'c'} --secret d user[pin]=1 %5Bpin%5D=2`,
    ],
    parse: (text) => {
      const masked = maskValues(text, (name) => /key|pass|pin|secret|token/i.test(name), false);
      holds(masked.length <= 3 * text.length + 3, 'a bounded text');
      return masked;
    },
  },
  {
    name: 'filters of the command',
    accepted: ['2026-01-01', '15m', '7d', '2026-01-01T00:00:00Z'],
    refused: ['', '15 m', 'yesterday', '-1d', '99999999999999d'],
    refusal: (error) => error instanceof UsageError,
    parse: (text) => {
      const query = queryFrom(
        { since: text, detail: [`a.b=${text}`, 'c=1'] },
        Date.UTC(2026, 0, 1),
      );
      holds(query.since !== undefined, 'a time');
      return query;
    },
  },
];

function noteVerifierOf(secret: string) {
  const { name, id } = openSecretKey(secret);
  return { name, keyId: id, verify: () => false };
}
