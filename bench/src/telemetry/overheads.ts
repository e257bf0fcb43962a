import type { Overhead } from '../types.ts';

const bare = { suite: 'telemetry/no-sdk', name: 'temper: retry' };

/** The overhead of telemetry per call. */
export const overheads: readonly Overhead[] = [
  {
    title: 'a counter with the metrics SDK, over the same without',
    of: { suite: 'telemetry/metrics', name: 'temper: count one call' },
    over: { suite: 'telemetry/no-sdk', name: 'temper: count one call' },
    aimNs: 30,
  },
  {
    title: 'a retry with the metrics SDK, durations in our own buckets',
    of: { suite: 'telemetry/own-buckets', name: 'temper: retry' },
    over: bare,
    aimNs: 130,
  },
  {
    title: 'a retry with the metrics SDK, durations through its API',
    of: { suite: 'telemetry/metrics', name: 'temper: retry' },
    over: bare,
  },
  {
    title: 'a retry with spans, never sampled',
    of: { suite: 'telemetry/spans-off', name: 'temper: retry, spans of all' },
    over: bare,
  },
  {
    title: 'a retry with spans of failures only, always sampled',
    of: { suite: 'telemetry/spans-all', name: 'temper: retry, spans of failures' },
    over: bare,
  },
];
