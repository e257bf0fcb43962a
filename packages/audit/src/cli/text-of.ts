import { readFile } from 'node:fs/promises';
import { UnreadableError } from './exit-codes.ts';

/** @throws {UnreadableError} if the file cannot be read */
export async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new UnreadableError(`${path} cannot be read: ${(error as Error).message}.`);
  }
}
