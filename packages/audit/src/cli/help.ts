/** One line of help per command. */
const COMMANDS = `verify      verify the hash chain and the checkpoints of the whole log
  query       print one page of matching events
  tail        print the last events, and with --follow new ones
  export      print events as JSON lines, CloudEvents, OCSF or CSV
  bundle      write an evidence bundle: events with all that verifies them, in one file
  checkpoint  print the last signed checkpoint, or sign one
  migrate     copy a log of an earlier format into a new log
  witness     run a witness that cosigns the checkpoints of other machines' logs`;

const LOG = `<log> is the directory of a file log, the database of an SQLite log, a postgres:// URL
(with --writer NAME and --schema NAME), a file of JSON lines, or an evidence bundle.`;

const FILTERS = `Filters (a repeated option matches any of its values; different options must all match):
  --event-type, --action, --resource, --status, --actor, --trace, --span, --id,
  --error-name, --error-code TEXT    exact values
  --failed                           only events with an error
  --detail PATH=VALUE                exact value in the details, for example user.id=7
  --since, --until TIME              ISO 8601, or an age: 15m, 2h, 7d
  --from, --to N                     range of sequences, inclusive
  --min-duration, --max-duration MS  range of durations, inclusive`;

const RECORD = `  --record LOG        record in this audit log who reads what; nothing is read if it cannot be recorded
  --reader NAME       who reads (default: the user of the operating system)`;

const CODES = `Exit codes: 0 success, a verified log is valid; 1 the log is invalid; 2 invalid usage; 3 the log
cannot be read; 4 no problem was found, but the log was held to nothing; 130 interrupted.`;

const USAGE: Readonly<Record<string, string>> = {
  verify: `temper-audit verify <log> [--key VERIFIER-KEY]... [--key-file FILE]... [--checkpoint FILE]... [--json]

Verifies the hash of every event, the chain and every checkpoint; reports the first invalid event.

  --key, --key-file   verifier keys to trust; without keys signatures are not verified
  --checkpoint FILE   a signed checkpoint stored elsewhere: detects truncation and rewriting
  --origin ORIGIN     the origin that the checkpoints must have
  --log ID            the identifier that the events must have
  --size N            a number of events that the log is known to have had
  --witness URL       ask this witness for the last checkpoint that it has cosigned
  --witness-key KEY   verifier key of that witness, one for each --witness in the same order
  --quorum N          number of witnesses that must have cosigned it (default: all)
  --max-bytes N       largest evidence bundle without compression (default: 1073741824)
  --json              print the report as JSON

An evidence bundle is verified without a network: --witness-key alone requires that the witness has
cosigned a checkpoint in the bundle that covers all of its events.

Without anything to hold the log to, the answer is 'unproven' and says what was not shown.`,
  query: `temper-audit query <log> [--limit N] [--order asc|desc] [--cursor CURSOR] [--json]

Prints one page of events, newest first by default; --limit 0 prints none. Cursors of the next and
previous page are printed to stderr.

${RECORD}

${FILTERS}`,
  tail: `temper-audit tail <log> [-n N] [-f] [--json]

  -n, --lines N   number of events to print (default 10)
  -f, --follow    print new events until interrupted

${RECORD}

${FILTERS}`,
  export: `temper-audit export <log> [--format jsonl|cloudevents|ocsf|csv]

Lines of the format jsonl are the lines of the log, byte for byte, and can be verified like it. CSV is
for spreadsheets: what they would take for a formula gets an apostrophe before it.

  --name NAME       name of the log in CloudEvents and OCSF
  --source URI      source attribute of CloudEvents
  --service NAME    service name of OCSF events

${RECORD}

${FILTERS}`,
  bundle: `temper-audit bundle <log> --out FILE.tgz [--from N] [--to N] [--key VERIFIER-KEY]... [--checkpoint FILE]...

Writes events with the signed checkpoints and the proofs that verify them, and verifies the file. The log's
own checkpoints in and after the range are included. FILE must not exist.

  --from, --to N       range of sequences, inclusive (default: the whole log)
  --key, --key-file    verifier keys of the log, for information: recipients need keys of their own
  --checkpoint FILE    a further checkpoint, such as the one that the recipient has
  --witness URL        include the last checkpoint that this witness has cosigned
  --witness-key KEY    verifier key of that witness, one for each --witness in the same order
  --quorum N           number of witnesses that must answer (default: all)
${RECORD}`,
  checkpoint: `temper-audit checkpoint <log> [--sign] [--key-file FILE] [--origin NAME] [--checkpoint FILE]
temper-audit checkpoint --new-key NAME

Prints the last stored checkpoint. With --sign, verifies the log and prints a new checkpoint, signed
with the secret key in FILE or in TEMPER_AUDIT_KEY. Store it where the log's writer cannot modify it.
A log is not signed if it does not continue what this key has signed before, as far as that is known.

  --checkpoint FILE  the last checkpoint, stored elsewhere: without it a log that was rewritten, and whose
                     checkpoints were removed, is signed
  --key KEY          verifier key of another signer of the log
  --new-key NAME     generate a key pair: secret key to stdout, verifier key to stderr`,
  migrate: `temper-audit migrate <log> --to <new log> [--id ID]

Verifies a log of the format 1 and copies its events into a new log, whose last event has the last
sequence, the last hash and the Merkle root of the old one. Keep the old log and its checkpoints.

  --to NEW   a directory, or the path of a database that ends in .db
  --id ID    identifier of the new log (default: a random UUID)`,
  witness: `temper-audit witness <directory> --log VERIFIER-KEY [--log ORIGIN=VERIFIER-KEY]... [--key-file FILE]

Runs a witness after C2SP tlog-witness: POST /add-checkpoint cosigns a checkpoint that continues the last
one of its log, and GET /checkpoint/<SHA-256 of the origin> returns that one. Run it on a machine that
those who can change the log cannot change. Prints its verifier key and its address; refused checkpoints
are printed to stderr.

  --log KEY        verifier key of a log to cosign; ORIGIN= if the origin is not the name of the key
  --key-file FILE  secret key of the witness (default: TEMPER_AUDIT_KEY); 'checkpoint --new-key' makes one
  --listen ADDRESS host and port (default: 127.0.0.1:8421; port 0 takes a free one)`,
};

/** Names of the commands. */
export const COMMAND_NAMES: readonly string[] = Object.keys(USAGE);

/** Help for one command, or an overview. */
export function help(command?: string): string {
  const usage = command !== undefined && Object.hasOwn(USAGE, command) ? USAGE[command] : undefined;
  return usage === undefined
    ? `temper-audit <command> <log> [options]\n\n  ${COMMANDS}\n\n${LOG}\n\nRun 'temper-audit <command> --help' for the options of a command. ${CODES}\n`
    : `${usage}\n\n${LOG}\n\n${CODES}\n`;
}
