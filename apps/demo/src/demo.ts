import { FaultBoard } from './faults/board.ts';
import { auditDiskFull, lspCrash } from './faults/local.ts';
import { registryFaultSources } from './faults/registry.ts';
import { ordinaryCallers, Traffic } from './scenarios/traffic.ts';
import { type Service, type ServiceOptions, startService } from './service/service.ts';

/** A service that is up, with its switches and its load. */
export interface Demo extends AsyncDisposable {
  readonly service: Service;
  readonly faults: FaultBoard;
  readonly traffic: Traffic;
  /** Ends load, faults and service. Runs once. */
  stop(): Promise<void>;
}

export async function startDemo(options: ServiceOptions): Promise<Demo> {
  const service = await startService(options);
  const faults = new FaultBoard({
    ...registryFaultSources(service.registryFaults, options.say),
    'lsp-crash': lspCrash(service.lsp.process),
    'audit-disk-full': auditDiskFull(service.audit.disk),
  });
  const traffic = new Traffic(ordinaryCallers(service.hardening));
  const stop = async (): Promise<void> => {
    await traffic.stop();
    await service.stop();
  };
  return { service, faults, traffic, stop, [Symbol.asyncDispose]: stop };
}
