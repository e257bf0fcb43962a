import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ErrorCase, thrownBy } from '../case.ts';
import { type Prisma, prismaOfFile } from './prisma-client.ts';

/** What a second connection to a file is rejected with while the first one writes to it. */
async function lockedOut(body: (prisma: Prisma) => Promise<unknown>): Promise<unknown> {
  const folder = mkdtempSync(join(tmpdir(), 'temper-prisma-'));
  const file = join(folder, 'stock.db');
  const [writer, other] = [prismaOfFile(file), prismaOfFile(file)];
  try {
    await writer.$executeRawUnsafe(
      'CREATE TABLE "Stock" (id int PRIMARY KEY, name text, count int)',
    );
    await writer.$executeRawUnsafe('BEGIN EXCLUSIVE');
    return await thrownBy(body(other));
  } finally {
    await Promise.all([writer.$disconnect(), other.$disconnect()]);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Errors of Prisma 7 over its adapter for SQLite. */
export const prismaSqliteCases: readonly ErrorCase[] = [
  {
    client: '@prisma/client',
    error: 'PrismaClientKnownRequestError P1008',
    happened: 'SQLite: another connection has locked the file for longer than the client waits',
    verdict: 'retry overload failure',
    provoke: () =>
      lockedOut(({ stock }) => stock.create({ data: { id: 1, name: 'one', count: 1 } })),
  },
];
