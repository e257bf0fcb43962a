type Uncaught = Error & { readonly code?: string };

/** What undici 8.13 throws where nobody can catch it when sessions or streams end, without Temper too. */
export function isOfUndici8({ name, code }: Uncaught): boolean {
  if (name === 'SocketError' || name === 'ClientDestroyedError') return true;
  return code === 'ECONNRESET' || /^ERR_HTTP2_/.test(code ?? '');
}

/** What undici 7.30 throws so when headers come for a request that has failed with its session. */
export function isOfUndici7({ code, message }: Uncaught): boolean {
  return code === 'ERR_ASSERTION' && message.includes('assert(!this.completed)');
}
