import { createRequire } from 'node:module';
import { PrismaLibSql } from '@prisma/adapter-libsql';
import { PrismaPg } from '@prisma/adapter-pg';
import { type GetPrismaClientConfig, getPrismaClient } from '@prisma/client/runtime/client';
import type pg from 'pg';

const MODEL = `
model Stock {
  id    Int    @id
  name  String @unique
  count Int
}
`;

const scalar = (name: string, type: string) => ({ name, kind: 'scalar', type });

const compilerOf = (provider: string): string =>
  `@prisma/client/runtime/query_compiler_fast_bg.${provider}`;
const load: (name: string) => { readonly wasm?: string } = createRequire(import.meta.url);

declare const WebAssembly: { readonly Module: new (bytes: Uint8Array) => object };

/** Of what the plan cache takes as a parameter: nothing, so that each query is compiled anew. */
const EMPTY_GRAPH = Buffer.alloc(8).toString('base64url');

/**
 * The client of Prisma for this schema. `prisma generate` writes the same call with types around it, but asks
 * for a program that is not in a registry before it begins.
 */
const configFor = (provider: 'postgresql' | 'sqlite'): GetPrismaClientConfig =>
  ({
    previewFeatures: [],
    clientVersion: '7',
    engineVersion: '7',
    activeProvider: provider,
    inlineSchema: `datasource db {\n  provider = "${provider}"\n}${MODEL}`,
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
      getRuntime: async () => load(`${compilerOf(provider)}.js`),
      getQueryCompilerWasmModule: async () =>
        new WebAssembly.Module(
          Buffer.from(load(`${compilerOf(provider)}.wasm-base64.js`).wasm ?? '', 'base64'),
        ),
      importName: './query_compiler_fast_bg.js',
    },
  }) as unknown as GetPrismaClientConfig;

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

type Client = new (options: object) => Prisma;
const ForPostgres = getPrismaClient(configFor('postgresql')) as unknown as Client;
const ForSqlite = getPrismaClient(configFor('sqlite')) as unknown as Client;

/** A client over a pool of `pg`. */
export function prismaClient(config: pg.PoolConfig): Prisma {
  const pool = { host: '127.0.0.1', user: 'temper', database: 'postgres', ...config };
  return new ForPostgres({
    adapter: new PrismaPg(pool, { onPoolError: () => undefined }),
    errorFormat: 'minimal',
  });
}

/** A client of a file of SQLite. */
export function prismaOfFile(file: string): Prisma {
  return new ForSqlite({
    adapter: new PrismaLibSql({ url: `file:${file}` }),
    errorFormat: 'minimal',
  });
}
