import type { Fault, FaultStatus, RegistryProcess } from '@temper/registry';

/** Client for the registry's fault injection endpoint. */
export interface RegistryFaults {
  /** Replaces all current faults. */
  set(faults: readonly Fault[]): Promise<FaultStatus>;
  clear(): Promise<FaultStatus>;
  status(): Promise<FaultStatus>;
}

const TIMEOUT_MS = 5_000;

export function registryFaults({ controlUrl, token }: RegistryProcess): RegistryFaults {
  const send = async (method: string, body?: object): Promise<FaultStatus> => {
    const response = await fetch(`${controlUrl}/faults`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const answer = await response.text();
    if (!response.ok)
      throw new Error(`The registry rejected the fault request: ${answer.slice(0, 300)}`);
    return JSON.parse(answer) as FaultStatus;
  };
  return {
    set: (faults) => send('PUT', { faults }),
    clear: () => send('DELETE'),
    status: () => send('GET'),
  };
}
