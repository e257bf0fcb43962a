/** One line of help per command. */
const COMMANDS = `verify      verify the hash chain and the checkpoints of the whole log
  query       print one page of matching events
  tail        print the last events, and with --follow new ones
  export      print events as JSON lines, CloudEvents or OCSF
  checkpoint  print the last signed checkpoint, or sign one`;

const LOG = `<log> is the directory of a file log, the database of an SQLite log, a postgres:// URL
(with --writer NAME and --schema NAME), or a file of JSON lines.`;

const FILTERS = `Filters (a repeated option matches any of its values; different options must all match):
  --event-type, --action, --resource, --status, --actor, --trace, --span, --id,
  --error-name, --error-code TEXT    exact values
  --failed                           only events with an error
  --detail PATH=VALUE                exact value in the details, for example user.id=7
  --since, --until TIME              ISO 8601, or an age: 15m, 2h, 7d
  --from, --to N                     range of sequences, inclusive
  --min-duration, --max-duration MS  range of durations, inclusive`;

const CODES = `Exit codes: 0 success, a verified log is valid; 1 the log is invalid; 2 invalid usage; 3 the log
cannot be read; 130 interrupted.`;

const USAGE: Readonly<Record<string, string>> = {
  verify: `temper-audit verify <log> [--key VERIFIER-KEY]... [--key-file FILE]... [--checkpoint FILE]... [--json]

Verifies the hash of every event, the chain and every checkpoint; reports the first invalid event.

  --key, --key-file   verifier keys to trust; without keys signatures are not verified
  --checkpoint FILE   a signed checkpoint stored elsewhere: detects truncation and rewriting
  --json              print the report as JSON`,
  query: `temper-audit query <log> [--limit N] [--order asc|desc] [--cursor CURSOR] [--json]

Prints one page of events, newest first by default; --limit 0 prints none. Cursors of the next and
previous page are printed to stderr.

${FILTERS}`,
  tail: `temper-audit tail <log> [-n N] [-f] [--json]

  -n, --lines N   number of events to print (default 10)
  -f, --follow    print new events until interrupted

${FILTERS}`,
  export: `temper-audit export <log> [--format jsonl|cloudevents|ocsf]

Lines of the format jsonl are the lines of the log, byte for byte, and can be verified like it.

  --name NAME       name of the log in CloudEvents and OCSF
  --source URI      source attribute of CloudEvents
  --service NAME    service name of OCSF events

${FILTERS}`,
  checkpoint: `temper-audit checkpoint <log> [--sign] [--key-file FILE] [--origin NAME]
temper-audit checkpoint --new-key NAME

Prints the last stored checkpoint. With --sign, verifies the log and prints a new checkpoint, signed
with the secret key in FILE or in TEMPER_AUDIT_KEY. Store it where the log's writer cannot modify it.

  --new-key NAME   generate a key pair: secret key to stdout, verifier key to stderr`,
};

/** Names of the commands. */
export const COMMAND_NAMES: readonly string[] = Object.keys(USAGE);

/** Help for one command, or an overview. */
export function help(command?: string): string {
  const usage = command === undefined ? undefined : USAGE[command];
  return usage === undefined
    ? `temper-audit <command> <log> [options]\n\n  ${COMMANDS}\n\n${LOG}\n\nRun 'temper-audit <command> --help' for the options of a command. ${CODES}\n`
    : `${usage}\n\n${LOG}\n\n${CODES}\n`;
}
