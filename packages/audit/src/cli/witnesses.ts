import { safeText } from '@temper/core/policy';
import { httpWitness } from '../witness/http-witness.ts';
import { checkpointPublisher, type HeldCheckpoints } from '../witness/publisher.ts';
import { WitnessError } from '../witness/witness-error.ts';
import { asUsageError, UnreadableError, UsageError } from './exit-codes.ts';
import { numberFrom, type Values } from './filters.ts';

/**
 * What the witnesses of the options have cosigned; undefined if there are none.
 *
 * @throws {UsageError} if they have no keys
 * @throws {UnreadableError} if fewer than the quorum answer
 */
export async function askWitnesses(
  keys: readonly string[],
  values: Values,
): Promise<HeldCheckpoints | undefined> {
  const urls = (values.witness as readonly string[] | undefined) ?? [];
  const witnessKeys = (values['witness-key'] as readonly string[] | undefined) ?? [];
  if (urls.length !== witnessKeys.length) {
    throw new UsageError('Give one --witness-key for each --witness.');
  }
  if (urls.length === 0) return undefined;
  if (keys.length === 0) throw new UsageError('--witness requires --key or --key-file of the log.');
  try {
    const quorum = values.quorum as string | undefined;
    return await checkpointPublisher({
      keys,
      witnesses: urls.map((url, i) => httpWitness({ url, key: witnessKeys[i] as string })),
      ...(quorum === undefined ? {} : { quorum: numberFrom('quorum', quorum) }),
      ...(values.origin === undefined ? {} : { origin: values.origin as string }),
    }).held();
  } catch (error) {
    if (error instanceof WitnessError) throw new UnreadableError(error.message);
    throw asUsageError(error);
  }
}

/** Lines on what the witnesses have cosigned. */
export function describeHeld({
  witnessed,
  cosignatures,
}: Pick<HeldCheckpoints, 'witnessed' | 'cosignatures'>): string {
  if (witnessed === undefined) {
    return '  unwitnessed: too few of the given witnesses have cosigned a checkpoint of the log\n';
  }
  const by = cosignatures.map(
    ({ witness, time }) => `${safeText(witness)} at ${new Date(time).toISOString()}`,
  );
  return `  ${witnessed} events are witnessed by ${by.join(', ')}\n`;
}
