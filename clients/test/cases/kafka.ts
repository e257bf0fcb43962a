import type { Socket } from 'node:net';
import { Kafka, logLevel } from 'kafkajs';
import { closedPort, type ErrorCase, thrownBy, withTcp } from '../case.ts';

const int16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
};
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const text = (value: string): Buffer => Buffer.concat([int16(value.length), Buffer.from(value)]);
const list = (...items: Buffer[][]): Buffer =>
  Buffer.concat([int32(items.length), ...items.flat()]);

const PRODUCE = 0;
const METADATA = 3;
const API_VERSIONS = 18;

interface Broker {
  /** Of the topic, in the metadata. */
  readonly topicError?: number;
  /** Of the answer to what is produced. */
  readonly produceError?: number | 'silent' | 'hang up';
}

/** A broker that leads one partition of the topic `t`, in the oldest versions of the protocol. */
function serve({ topicError = 0, produceError = 0 }: Broker, port: () => number) {
  return (socket: Socket): void => {
    let pending = Buffer.alloc(0);
    socket.on('data', (data) => {
      pending = Buffer.concat([pending, data]);
      while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
        const request = pending.subarray(4, 4 + pending.readInt32BE(0));
        pending = pending.subarray(4 + request.length);
        const body = answer(request.readInt16BE(0));
        if (body === undefined) return;
        const reply = Buffer.concat([request.subarray(4, 8), body]);
        socket.write(Buffer.concat([int32(reply.length), reply]));
      }
    });
    const answer = (key: number): Buffer | undefined => {
      if (key === API_VERSIONS) {
        const apis = [PRODUCE, METADATA].map((api) => [int16(api), int16(0), int16(0)]);
        return Buffer.concat([int16(0), list(...apis), int32(0)]);
      }
      if (key === METADATA) {
        const partition = [int16(0), int32(0), int32(1), list([int32(1)]), list([int32(1)])];
        return Buffer.concat([
          list([int32(1), text('127.0.0.1'), int32(port())]),
          list([int16(topicError), text('t'), topicError === 0 ? list(partition) : list()]),
        ]);
      }
      if (produceError === 'hang up') socket.destroy();
      if (typeof produceError === 'string') return undefined;
      return list([text('t'), list([int32(0), int16(produceError), Buffer.alloc(8)])]);
    };
  };
}

async function sendTo(port: number): Promise<unknown> {
  const kafka = new Kafka({
    clientId: 'temper',
    brokers: [`127.0.0.1:${port}`],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 500,
    requestTimeout: 300,
    retry: { retries: 0, initialRetryTime: 10 },
  });
  const producer = kafka.producer();
  const error = await thrownBy(
    producer.connect().then(() => producer.send({ topic: 't', messages: [{ value: 'x' }] })),
  );
  await producer.disconnect();
  return error;
}

async function send(broker: Broker): Promise<unknown> {
  let bound = 0;
  return await withTcp(
    (socket) => serve(broker, () => bound)(socket),
    (port) => {
      bound = port;
      return sendTo(port);
    },
  );
}

const client = 'kafkajs';

export const kafkaCases: readonly ErrorCase[] = [
  {
    client,
    error: 'KafkaJSNumberOfRetriesExceeded',
    happened: 'no broker can be reached',
    verdict: 'retry overload failure',
    note: 'kafkajs itself had no attempts left, and says so in the name; its cause is what counts.',
    provoke: async () => sendTo(await closedPort()),
  },
  {
    client,
    error: 'KafkaJSNumberOfRetriesExceeded',
    happened: 'the broker does not lead the partition any more (NOT_LEADER_FOR_PARTITION)',
    verdict: 'retry overload failure',
    provoke: () => send({ produceError: 6 }),
  },
  {
    client,
    error: 'KafkaJSNumberOfRetriesExceeded',
    happened: 'too few replicas are in sync (NOT_ENOUGH_REPLICAS)',
    verdict: 'retry overload failure',
    provoke: () => send({ produceError: 19 }),
  },
  {
    client,
    error: 'KafkaJSNonRetriableError',
    happened: 'the partition has no leader yet (LEADER_NOT_AVAILABLE)',
    verdict: 'retry overload failure',
    provoke: () => send({ topicError: 5 }),
  },
  {
    client,
    error: 'KafkaJSNumberOfRetriesExceeded',
    happened: 'the broker does not answer within `requestTimeout`',
    verdict: 'retry overload failure',
    provoke: () => send({ produceError: 'silent' }),
  },
  {
    client,
    error: 'KafkaJSNumberOfRetriesExceeded',
    happened: 'the broker hangs up',
    verdict: 'retry overload failure',
    provoke: () => send({ produceError: 'hang up' }),
  },
  {
    client,
    error: 'KafkaJSProtocolError 10',
    happened: 'the message is larger than the broker allows (MESSAGE_TOO_LARGE)',
    verdict: 'failure',
    note: 'Final, as kafkajs says itself (`retriable: false`), but it does not say whose fault it is.',
    provoke: () => send({ produceError: 10 }),
  },
  {
    client,
    error: 'KafkaJSProtocolError 29',
    happened: 'the client may not write to the topic (TOPIC_AUTHORIZATION_FAILED)',
    verdict: 'failure',
    note: 'As above.',
    provoke: () => send({ produceError: 29 }),
  },
];
