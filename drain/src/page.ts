import { PROTOCOL_NAMES, ROWS } from './protocols.ts';
import { type CellResult, cellsOf, findCell, type Results } from './results.ts';
import { LIMIT_MS, PEERS } from './tools.ts';

const number = new Intl.NumberFormat('en');

/** The page `docs/drain.md`. */
export function pageOf(results: Results): string {
  const measured = cellsOf(true)
    .map((cell) => findCell(results, cell))
    .filter((cell) => cell !== undefined);
  const rows = ['@temper/shutdown', ...PEERS].flatMap((tool) =>
    Object.keys(ROWS)
      .filter((row) => measured.some((cell) => cell.tool === tool && cell.row === row))
      .map((row) => {
        const cells = PROTOCOL_NAMES.map((protocol) =>
          cellText(
            measured.find(
              (cell) => cell.tool === tool && cell.row === row && cell.protocol === protocol,
            ),
          ),
        );
        return `| \`${tool}\` | ${row} | ${cells.join(' | ')} |`;
      }),
  );
  const runs = measured.map((cell) => cell.runs);
  const [fewest, most] = [Math.min(...runs), Math.max(...runs)];
  return `# Requests lost on SIGTERM

Written by \`pnpm --filter @temper/drain drain:table\`; the counts are in \`drain/results.json\`.

Each cell is ${fewest === most ? fewest : `${fewest} to ${most}`} runs with Node ${results.node} on ${results.cpus} processors that other work kept busy (load average up to ${Math.round(results.load)}).
A run starts a service in its own process and 240 clients in another one. The clients send one request after the
other, pause for up to 50 ms in between, and connect again when the server closes the connection, until they are
refused. At a random moment, with about 200 requests in flight, the service receives SIGTERM, without a delay and
without a load balancer. Every tool has ${LIMIT_MS / 1000} s for the drain; ${LIMIT_MS / 1000} s later the process is killed.

A request is lost if the client has sent any of it, or if its connection was accepted, and the complete and correct
answer did not arrive. Nothing is retried. The clients are not Node's for HTTP/1: they read and write sockets
(\`drain/src/client\`). Refused connections and HTTP/2 streams that were refused as unprocessed are not counted as lost,
because a client may send those again. A WebSocket message that crosses the close frame is counted.
Linux before 6.19 resets about one connection of 13 000 by itself: the service has accepted it, reads no byte of it,
and has it open half a second later or longer. Its request is counted apart (\`drain/src/account.ts\`).

| tool | framework | ${PROTOCOL_NAMES.join(' | ')} |
| --- | --- | ${PROTOCOL_NAMES.map(() => '---:').join(' | ')} |
${rows.join('\n')}

Lost requests of all that were sent; in brackets the runs that lost any. \`–\`: the framework does not speak it, or it
was not measured.

- Requests: \`GET\` with an answer of 20 kB after 50 to 250 ms; SSE, ten events in 0.4 s; upload, 128 kB in 0.2 s;
  long poll, 0.6 s; pipelined, six \`GET\` requests in one packet; WebSocket, an echo after 50 to 250 ms.
- The row with HTTP/1 fallback is one listener of \`node:http2\` that serves every protocol, over TLS.
- \`close()\` is the method of the framework or server alone.
- Why requests were lost with \`@temper/shutdown\`: ${reasons(measured.filter(({ tool }) => tool === '@temper/shutdown'))}.
${results.note === undefined ? '' : `- ${results.note}\n`}`;
}

function cellText(cell: CellResult | undefined): string {
  if (cell === undefined) return '–';
  const { lost, sent, losing, runs } = cell;
  const text = `${number.format(lost)} of ${number.format(sent)}`;
  return lost === 0 ? text : `**${text}** (${losing}/${runs})`;
}

function reasons(cells: readonly CellResult[]): string {
  const counts = new Map<string, number>();
  for (const cell of cells) {
    for (const [reason, count] of Object.entries(cell.reasons)) {
      counts.set(reason, (counts.get(reason) ?? 0) + count);
    }
  }
  const listed = [...counts].sort(([, a], [, b]) => b - a);
  return listed.map(([reason, count]) => `${count} × ${reason}`).join(', ') || 'none were';
}
