import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { OtlpReceiver } from './otlp-receiver.ts';
import { Fixture } from './processes.ts';

it('exports the last spans, metrics and log records of a shutdown to the collector', async () => {
  const receiver = new OtlpReceiver();
  const service = new Fixture('traced', await receiver.listen());
  const port = await service.port();
  const order = fetch(`http://127.0.0.1:${port}/`).then((response) => response.text());
  await sleep(100);
  expect([receiver.spans, receiver.metrics]).toEqual([[], []]);
  service.kill('SIGTERM');
  const { code, stdout, stderr } = await service.ended;
  receiver.close();

  expect(await order).toBe('ordered');
  expect(stdout).toContain('audit log closed');
  expect(code).toBe(1);
  expect(stderr).toContain('failed  close/cache: gone');
  expect(stderr).not.toContain('still held');

  // Telemetry of the service: the request that ended during the drain.
  const names = receiver.spans.map(({ name }) => name);
  expect(names).toContain('order');
  expect(receiver.metrics.find(({ name }) => name === 'orders')?.sum?.dataPoints[0]).toMatchObject({
    asDouble: 1,
  });

  // Telemetry of the shutdown: one trace with the span `shutdown` as its root.
  const root = receiver.spans.find(({ name }) => name === 'shutdown');
  const tree = receiver.spans
    .filter(({ traceId }) => traceId === root?.traceId)
    .map(({ name, parentSpanId }) => {
      const parent = receiver.spans.find(({ spanId }) => spanId === parentSpanId);
      return `${name} < ${parent?.name ?? 'nothing'}`;
    });
  expect(tree.sort()).toEqual(
    [
      'shutdown < nothing',
      'phase delay < shutdown',
      'phase intake < shutdown',
      'handler server < phase intake',
      'phase drain < shutdown',
      'handler server < phase drain',
      'phase close < shutdown',
      'handler cache < phase close',
      'handler database < phase close',
      'pool.end < handler database',
      'phase audit < shutdown',
      'handler audit log < phase audit',
      'audit.close < handler audit log',
    ].sort(),
  );
  expect(root?.status.code).toBe(2);

  const outcomes = receiver.series('temper.shutdown.handlers', 'temper.outcome');
  expect(outcomes).toEqual({ completed: 4, failed: 1, timed_out: 0, skipped: 0 });
  expect(receiver.series('temper.shutdown.duration', 'temper.outcome')).toEqual({ failed: 1 });
  expect(receiver.series('temper.shutdown.in_flight', 'temper.policy.name')).toEqual({ shop: 0 });
  expect(receiver.logs).toEqual([expect.stringContaining("Shutdown 'shop' (SIGTERM) failed")]);
});
