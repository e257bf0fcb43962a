const SLOTS = 16_384;

/** The remainders of each byte for {@link crc16}. */
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc & 0xffff;
});

/**
 * The slot of a key in a cluster: CRC-16/XMODEM of its hash tag, or of the whole key without one.
 *
 * Source: Redis cluster specification, "Key distribution model" and "Hash tags".
 */
export function slotOf(key: string): number {
  const open = key.indexOf('{');
  const close = key.indexOf('}', open + 1);
  const tag = open >= 0 && close > open + 1 ? key.slice(open + 1, close) : key;
  let crc = 0;
  for (const byte of new TextEncoder().encode(tag)) {
    crc = ((crc << 8) ^ TABLE[(crc >> 8) ^ byte]!) & 0xffff;
  }
  return crc % SLOTS;
}

/**
 * Which server answers for a key, as its client knows: the address of the master of the key's slot. Empty
 * for a client of a single server, and as long as a cluster's slots are not known.
 */
export function shardOf(client: object, key: string): string {
  const { slots } = client as { readonly slots?: unknown };
  if (!Array.isArray(slots) || slots.length === 0) return '';
  const shard: unknown = slots[slotOf(key)];
  // ioredis: the addresses of a slot, the master's first. redis: the nodes of its shard.
  const master: unknown = Array.isArray(shard)
    ? shard[0]
    : (shard as { readonly master?: { readonly address?: unknown } } | undefined)?.master?.address;
  return typeof master === 'string' ? master : '';
}

/** Reply of {@link Slots.watch} in place of the script's, when the keys are in different slots. */
export const CROSS_SLOT = 'CROSSSLOT';

/** Which keys can be used in one script: in a cluster, those of one slot. */
export class Slots {
  readonly #client: object;
  /** A server has refused keys of different slots, though the client knows of no cluster, as behind a proxy. */
  #refused = false;

  constructor(client: object) {
    this.#client = client;
  }

  /** Whether these keys can be used together. */
  share(keys: readonly string[]): boolean {
    // A client of a cluster has a table of slots, also before it is filled.
    const { slots } = this.#client as { readonly slots?: unknown };
    if (!Array.isArray(slots) && !this.#refused) return true;
    return new Set(keys.map(slotOf)).size === 1;
  }

  /** Turns the refusal of a cluster into {@link CROSS_SLOT}: nothing has failed, and nothing was done. */
  async watch(reply: Promise<unknown>): Promise<unknown> {
    try {
      return await reply;
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith(CROSS_SLOT))) throw error;
      this.#refused = true;
      return CROSS_SLOT;
    }
  }
}
