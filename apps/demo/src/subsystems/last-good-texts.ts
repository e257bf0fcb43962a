import type { LspInitialization } from '@temper/parsercraft';
import { concurrency, fairQueue } from '@temper/ratelimit';
import type { EditorQuestion } from '../workers/jobs.ts';
import type { WorkerPool } from '../workers/pool.ts';

/** A text of a document. */
interface DocumentText {
  readonly document: string;
  readonly language: string;
  readonly text: string;
}

interface LastGoodOptions {
  readonly initialization: LspInitialization;
  readonly workers: WorkerPool;
}

/** Documents with a last valid text. The least recently kept one is forgotten. */
const MAX_DOCUMENTS = 100;
/** Longest wait and work for an answer, in milliseconds. */
const ANSWER_MS = 4_000;

/** The last valid text of each document, and answers from them while the language server is away. */
export class LastGoodTexts implements Disposable {
  readonly #texts = new Map<string, string>();
  readonly #options: LastGoodOptions;
  /** One answer at a time, in fair order of the clients: the other workers are for programs. */
  readonly #turns = concurrency({
    name: 'lsp_last_good',
    limit: 1,
    maxQueue: 16,
    queue: fairQueue(),
  });

  constructor(options: LastGoodOptions) {
    this.#options = options;
  }

  /** Whether this text is the one that is kept. */
  has(one: DocumentText): boolean {
    return this.#texts.get(keyOf(one)) === one.text;
  }

  /** Keeps a text without syntax errors. */
  keep(one: DocumentText): void {
    const key = keyOf(one);
    this.#texts.delete(key);
    this.#texts.set(key, one.text);
    const [oldest] = this.#texts.keys();
    if (this.#texts.size > MAX_DOCUMENTS) this.#texts.delete(oldest as string);
  }

  /** The answer from the current text if it is valid, or from the last one that was; undefined without. */
  async answer(
    asked: DocumentText & Pick<EditorQuestion, 'uri' | 'method' | 'params'>,
    client: string | undefined,
  ): Promise<unknown> {
    const { language, uri, method, params } = asked;
    const kept = this.#texts.get(keyOf(asked));
    const texts = [asked.text, ...(kept === undefined || kept === asked.text ? [] : [kept])];
    const { initialization, workers } = this.#options;
    const question = { initialization, uri, language, texts, method, params };
    const signal = AbortSignal.timeout(ANSWER_MS);
    const key = client === undefined ? {} : { key: client };
    using _turn = await this.#turns.acquire({ ...key, signal, maxWaitMs: ANSWER_MS });
    return (await workers.run('editor', () => question, { signal, client })).answer;
  }

  [Symbol.dispose](): void {
    this.#turns[Symbol.dispose]();
  }
}

function keyOf({ document, language }: DocumentText): string {
  return JSON.stringify([language, document]);
}
