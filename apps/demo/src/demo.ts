import { AbusiveClient } from './drills/abusive-client.ts';
import { EndpointHolder } from './drills/endpoint.ts';
import { HostileInput } from './drills/hostile-input.ts';
import { ShutdownDrill } from './drills/shutdown.ts';
import { TrafficSpike } from './drills/traffic-spike.ts';
import { FaultBoard } from './faults/board.ts';
import { drillSources } from './faults/drills.ts';
import {
  auditDiskFull,
  eventLoopStall,
  hungShutdown,
  JobQueue,
  lspCrash,
  memoryLeak,
} from './faults/local.ts';
import { registryFaultSources } from './faults/registry.ts';
import { ordinaryCallers, Traffic } from './load/traffic.ts';
import { type Service, type ServiceOptions, startService } from './service/service.ts';

/** A running service with its fault switches and its background load. */
export interface Demo extends AsyncDisposable {
  readonly service: Service;
  readonly faults: FaultBoard;
  readonly traffic: Traffic;
  /** Its `drain` is a handler of the shutdown. */
  readonly jobs: JobQueue;
  /** Drills that call the service over HTTP, with their results. */
  readonly drills: {
    readonly endpoint: EndpointHolder;
    readonly hostile: HostileInput;
    readonly spike: TrafficSpike;
    readonly abuse: AbusiveClient;
    readonly shutdown: ShutdownDrill;
  };
  /** Stops the load, clears the faults and stops the service. Idempotent. */
  stop(): Promise<void>;
}

export async function startDemo(options: ServiceOptions): Promise<Demo> {
  const service = await startService(options);
  const endpoint = new EndpointHolder();
  const drills = {
    endpoint,
    hostile: new HostileInput(endpoint),
    spike: new TrafficSpike(endpoint),
    abuse: new AbusiveClient(endpoint),
    shutdown: new ShutdownDrill(),
  };
  const jobs = new JobQueue();
  const faults = new FaultBoard({
    ...registryFaultSources(service.registryFaults, options.log),
    ...drillSources(drills),
    'lsp-crash': lspCrash(service.lsp.process),
    'audit-disk-full': auditDiskFull(service.audit.disk),
    'memory-leak': memoryLeak(),
    'event-loop-stall': eventLoopStall(),
    'hung-shutdown': hungShutdown(jobs),
  });
  const traffic = new Traffic(ordinaryCallers(service.hardening));
  const stop = async (): Promise<void> => {
    await traffic.stop();
    // The registry may have exited already: a terminal signals the whole process group.
    await faults.clear().catch(() => undefined);
    await service.stop();
  };
  return { service, faults, traffic, jobs, drills, stop, [Symbol.asyncDispose]: stop };
}
