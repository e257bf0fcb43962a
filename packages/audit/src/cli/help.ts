/** What the command can do, in a few words each. */
const COMMANDS = `verify      read the whole log and tell whether it is what was written
  query       print a page of the events that match
  tail        print the last events, and with --follow those that come
  export      print events as JSON lines, CloudEvents or OCSF
  checkpoint  print the last signed checkpoint, or sign one`;

const LOG = `<log> is the directory of a file log, the database of an SQLite log, a postgres:// URL
(with --writer NAME and --schema NAME), or a file of JSON lines.`;

const FILTERS = `Which events (options given twice mean either; all others must hold):
  --event-type, --action, --resource, --status, --actor, --trace, --span, --id,
  --error-name, --error-code TEXT    exact values
  --failed                           only those with an error
  --detail PATH=VALUE                exact value in the details, such as user.id=7
  --since, --until TIME              ISO 8601, or an age such as 15m, 2h, 7d
  --from, --to N                     sequences, inclusive
  --min-duration, --max-duration MS  durations, inclusive`;

const CODES = `Exit codes: 0 done, and a verified log is sound; 1 the log is bad; 2 usage; 3 the log
cannot be read; 130 interrupted.`;

const USAGE: Readonly<Record<string, string>> = {
  verify: `temper-audit verify <log> [--key VERIFIER-KEY]... [--key-file FILE]... [--checkpoint FILE]... [--json]

Checks every event against its hash, the chain, and every checkpoint; names the first bad event.

  --key, --key-file   verifier keys whose signatures count; without them signatures are not verified
  --checkpoint FILE   a signed checkpoint that was kept elsewhere: shows truncation and rewriting
  --json              the whole report, as JSON`,
  query: `temper-audit query <log> [--limit N] [--order asc|desc] [--cursor CURSOR] [--json]

Prints a page of events, newest first unless told otherwise; --limit 0 prints none.
Cursors for the next and previous page go to the error stream.

${FILTERS}`,
  tail: `temper-audit tail <log> [-n N] [-f] [--json]

  -n, --lines N   how many of the last events to print (default 10)
  -f, --follow    go on with those that come

${FILTERS}`,
  export: `temper-audit export <log> [--format jsonl|cloudevents|ocsf]

Lines of format jsonl are those of the log, byte for byte, and can be verified like it.

  --name NAME       what the log is called in other formats
  --source URI      source of CloudEvents
  --service NAME    service of OCSF events

${FILTERS}`,
  checkpoint: `temper-audit checkpoint <log> [--sign] [--key-file FILE] [--origin NAME]
temper-audit checkpoint --new-key NAME

Prints the last stored checkpoint. With --sign, verifies the log and prints a new one, signed with
the secret key in FILE or in TEMPER_AUDIT_KEY. Keep it where the log's writer cannot reach.

  --new-key NAME   make a key: the secret half goes to stdout, the verifier key to stderr`,
};

/** Every command. */
export const COMMAND_NAMES: readonly string[] = Object.keys(USAGE);

/** Help on a command, or on all of them. */
export function help(command?: string): string {
  const usage = command === undefined ? undefined : USAGE[command];
  return usage === undefined
    ? `temper-audit <command> <log> [options]\n\n  ${COMMANDS}\n\n${LOG}\n\ntemper-audit <command> --help tells more. ${CODES}\n`
    : `${usage}\n\n${LOG}\n\n${CODES}\n`;
}
