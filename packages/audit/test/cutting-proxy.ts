import { connect, createServer, type Server, type Socket } from 'node:net';

/** What a {@link CuttingProxy} does with a line. */
type Verdict = 'pass' | 'cut' | 'cut-half';

/** Stands between clients and a server of a log, and cuts connections at lines that the test chooses. */
export class CuttingProxy {
  readonly #server: Server;
  readonly #open: Set<Socket> = new Set();
  /** Decides on each line of a client. */
  request: (line: string) => Verdict = () => 'pass';
  /** Decides on each line of the server. */
  answer: (line: string) => Verdict = () => 'pass';
  connections = 0;

  private constructor(path: string, to: string) {
    this.#server = createServer((client) => {
      this.connections++;
      const server = connect({ path: to });
      const cut = (): void => {
        client.destroy();
        server.destroy();
      };
      forward(client, server, (line) => this.request(line), cut);
      forward(server, client, (line) => this.answer(line), cut);
      for (const socket of [client, server]) {
        this.#open.add(socket);
        socket.on('error', () => undefined);
        socket.on('close', () => {
          this.#open.delete(socket);
          cut();
        });
      }
    });
    this.#server.listen(path);
  }

  static async between(path: string, to: string): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(path, to);
    await new Promise((resolve) => proxy.#server.once('listening', resolve));
    return proxy;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#open) socket.destroy();
    await closed;
  }
}

function forward(
  from: Socket,
  to: Socket,
  decide: (line: string) => Verdict,
  cut: () => void,
): void {
  let text = '';
  from.on('data', (data: Buffer) => {
    const lines = (text + data).split('\n');
    text = lines.pop() as string;
    for (const line of lines) {
      const verdict = decide(line);
      if (verdict === 'pass') to.write(`${line}\n`);
      else {
        if (verdict === 'cut-half') to.write(line.slice(0, line.length / 2), cut);
        else cut();
        return;
      }
    }
  });
}
