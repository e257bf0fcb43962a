// The built-in checks and nothing else. The options of a check are written inline; their type is
// `Parameters<typeof tcpCheck>[0]`.
export { auditLogCheck } from './audit-log.ts';
export { breakerCheck } from './breaker.ts';
export { diskSpaceCheck } from './disk-space.ts';
export { dnsCheck } from './dns.ts';
export { eventLoopDelayCheck } from './event-loop-delay.ts';
export { eventLoopUtilizationCheck } from './event-loop-utilization.ts';
export { fileDescriptorsCheck } from './file-descriptors.ts';
export { heapCheck } from './heap.ts';
export { httpCheck } from './http.ts';
export { limiterCheck } from './limiter.ts';
export { memoryCheck } from './memory.ts';
export { statsCheck } from './stats.ts';
export { tcpCheck } from './tcp.ts';
