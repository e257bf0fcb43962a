import { createRequire } from 'node:module';
import { PrismaPg } from '@prisma/adapter-pg';
import { type GetPrismaClientConfig, getPrismaClient } from '@prisma/client/runtime/client';
import type pg from 'pg';

const SCHEMA = `
datasource db {
  provider = "postgresql"
}
model Stock {
  id    Int    @id
  name  String @unique
  count Int
}
`;

const scalar = (name: string, type: string) => ({ name, kind: 'scalar', type });

const COMPILER = '@prisma/client/runtime/query_compiler_fast_bg.postgresql';
const load: (name: string) => { readonly wasm?: string } = createRequire(import.meta.url);

declare const WebAssembly: { readonly Module: new (bytes: Uint8Array) => object };

/** Of what the plan cache takes as a parameter: nothing, so that each query is compiled anew. */
const EMPTY_GRAPH = Buffer.alloc(8).toString('base64url');

/**
 * The client of Prisma for this schema. `prisma generate` writes the same call with types around it, but asks
 * for a program that is not in a registry before it begins.
 */
const CONFIG = {
  previewFeatures: [],
  clientVersion: '7',
  engineVersion: '7',
  activeProvider: 'postgresql',
  inlineSchema: SCHEMA,
  runtimeDataModel: {
    models: {
      Stock: {
        fields: [scalar('id', 'Int'), scalar('name', 'String'), scalar('count', 'Int')],
        dbName: null,
        schema: null,
      },
    },
    enums: {},
    types: {},
  },
  parameterizationSchema: { strings: [], graph: EMPTY_GRAPH },
  compilerWasm: {
    getRuntime: async () => load(`${COMPILER}.js`),
    getQueryCompilerWasmModule: async () =>
      new WebAssembly.Module(Buffer.from(load(`${COMPILER}.wasm-base64.js`).wasm ?? '', 'base64')),
    importName: './query_compiler_fast_bg.js',
  },
} as unknown as GetPrismaClientConfig;

interface Stock {
  readonly id: number;
  readonly name: string;
  readonly count: number;
}

interface Stocks {
  findMany(): Promise<Stock[]>;
  findUniqueOrThrow(query: { where: { id: number } }): Promise<Stock>;
  create(query: { data: object }): Promise<Stock>;
  update(query: { where: { id: number }; data: object }): Promise<Stock>;
}

interface Queries {
  readonly stock: Stocks;
  $executeRawUnsafe(sql: string): Promise<number>;
  $queryRawUnsafe<T = unknown>(sql: string): Promise<T>;
}

interface TransactionOptions {
  readonly timeout?: number;
  readonly maxWait?: number;
  readonly isolationLevel?: 'ReadCommitted' | 'RepeatableRead';
}

/** What the generator would write as types, as far as the cases use it. */
export interface Prisma extends Queries {
  $transaction<T>(body: (queries: Queries) => Promise<T>, options?: TransactionOptions): Promise<T>;
  $disconnect(): Promise<void>;
}

const Client = getPrismaClient(CONFIG) as unknown as new (options: object) => Prisma;

/** A client over a pool of `pg`. */
export function prismaClient(config: pg.PoolConfig): Prisma {
  const pool = { host: '127.0.0.1', user: 'temper', database: 'postgres', ...config };
  return new Client({
    adapter: new PrismaPg(pool, { onPoolError: () => undefined }),
    errorFormat: 'minimal',
  });
}
