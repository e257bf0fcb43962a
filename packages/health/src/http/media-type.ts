/** Media types of a response. */
export type MediaType = 'text/plain' | 'application/json' | 'application/health+json';

const JSON_TYPES = ['application/health+json', 'application/json'] as const;

/**
 * Chooses the media type by the `Accept` header (RFC 9110, section 12.5.1). JSON must be requested by
 * name. Kubelets, load balancers and browsers send wildcards and receive plain text.
 */
export function chooseMediaType(accept: string | null | undefined): MediaType {
  const weights = new Map(
    (accept ?? '').split(',').map((part) => {
      const [range = '', ...parameters] = part
        .split(';')
        .map((piece) => piece.trim().toLowerCase());
      return [range, weightOf(parameters)] as const;
    }),
  );
  let chosen: MediaType = 'text/plain';
  let best = weights.get('text/plain') ?? 0;
  for (const type of JSON_TYPES) {
    const weight = weights.get(type) ?? 0;
    if (weight > best) {
      chosen = type;
      best = weight;
    }
  }
  return chosen;
}

function weightOf(parameters: readonly string[]): number {
  const q = parameters.find((parameter) => parameter.startsWith('q='));
  const weight = q === undefined ? 1 : Number(q.slice(2));
  return weight >= 0 && weight <= 1 ? weight : 0;
}
