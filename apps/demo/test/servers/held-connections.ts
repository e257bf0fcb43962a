import { connect, type Socket } from 'node:net';

interface HeldOptions {
  readonly connections: number;
  /** Sent at once. */
  readonly text: string;
  /** Sent again and again, so that the connection is not idle. @defaultValue nothing */
  readonly drip?: string;
}

const DRIP_EVERY_MS = 250;
/** Time after which a connection that the server has closed is opened again. */
const REOPENED_AFTER_MS = 50;

/** Keeps connections open whose answers nobody reads, and opens another for each that the server closes. */
export function holdConnections(url: string, options: HeldOptions): Disposable {
  const { hostname, port } = new URL(url);
  const { connections, text, drip = '' } = options;
  const held = new Set<Socket>();
  let over = false;
  const open = (): void => {
    if (over) return;
    const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(text));
    held.add(socket);
    const dripping =
      drip === ''
        ? undefined
        : setInterval(() => socket.writable && socket.write(drip), DRIP_EVERY_MS);
    // Its close follows.
    socket.on('error', () => {});
    socket.once('close', () => {
      clearInterval(dripping);
      held.delete(socket);
      setTimeout(open, REOPENED_AFTER_MS).unref();
    });
    // A stream is read as little as its connection allows; others are read, so that their end is noticed.
    if (drip === '' && !text.includes('close')) socket.pause();
    else socket.resume();
  };
  for (let i = 0; i < connections; i += 1) open();
  return {
    [Symbol.dispose]: () => {
      over = true;
      for (const socket of held) socket.destroy();
    },
  };
}
