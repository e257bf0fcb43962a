import { createServer } from 'node:net';

/**
 * A server that fails on the network: `/reset` resets the connection, `/cut` ends it within the body, `/hang`
 * never answers, `/flaky?id` resets each of the first two connections for an id and answers then. Other
 * paths are answered with `pages`.
 *
 * @param pages - bodies of HTML or JavaScript by path
 * @returns {Promise<{ url: string, refused: string, stop: () => Promise<void> }>} `refused` is the URL of a
 * port at which nothing listens
 */
export async function startFailingServer(pages = {}) {
  const seen = new Map();
  const sockets = new Set();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    socket.once('data', (data) => {
      const path = data.toString().split(' ')[1];
      if (path === '/hang') return;
      if (path === '/reset') return void socket.resetAndDestroy();
      if (path === '/cut') {
        socket.write(head(100, 'text/plain'));
        socket.write('cut');
        setTimeout(() => socket.destroy(), 50);
        return;
      }
      const before = seen.get(path) ?? 0;
      seen.set(path, before + 1);
      if (path.startsWith('/flaky') && before < 2) return void socket.resetAndDestroy();
      const body = pages[path] ?? 'answered';
      const type = path.endsWith('.js') ? 'text/javascript' : 'text/html';
      socket.end(head(Buffer.byteLength(body), type) + body);
    });
  });
  const { port } = await listen(server);
  const closed = createServer();
  const { port: refused } = await listen(closed);
  await new Promise((resolve) => closed.close(resolve));
  return {
    url: `http://127.0.0.1:${port}`,
    refused: `http://127.0.0.1:${refused}/`,
    stop() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

/**
 * A server that keeps the connection of a GET, and closes it, without an answer, when a POST comes on it. A POST on
 * another connection is answered.
 *
 * @returns {Promise<{ url: string, posts: () => number, stop: () => Promise<void> }>} `posts` counts what arrived
 */
export async function startForgetfulServer() {
  let posts = 0;
  const sockets = new Set();
  const server = createServer((socket) => {
    let isKept = false;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    socket.on('data', (data) => {
      const text = data.toString();
      if (text.startsWith('POST')) {
        posts++;
        if (isKept) return void socket.destroy();
      } else if (!text.startsWith('GET')) return; // the rest of a body
      isKept = true;
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
  });
  const { port } = await listen(server);
  return {
    url: `http://127.0.0.1:${port}`,
    posts: () => posts,
    stop() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

function head(length, type) {
  return `HTTP/1.1 200 OK\r\nContent-Type: ${type}; charset=utf-8\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\nContent-Length: ${length}\r\n\r\n`;
}

function listen(server) {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address())));
}
