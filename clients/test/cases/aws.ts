import type { RequestListener } from 'node:http';
import {
  ConditionalCheckFailedException,
  DynamoDBClient,
  GetItemCommand,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { answering, closedPort, type ErrorCase, silent, thrownBy, withHttp } from '../case.ts';

const settings = (endpoint: string) => ({
  endpoint,
  region: 'eu-west-1',
  maxAttempts: 1,
  credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI' },
});

/** What DynamoDB says with a status and an error of this type. */
const dynamoAnswer = (status: number, type: string, more: object = {}): RequestListener =>
  answering(
    status,
    JSON.stringify({
      __type: `com.amazonaws.dynamodb.v20120810#${type}`,
      message: 'no',
      ...more,
    }),
    { 'content-type': 'application/x-amz-json-1.0' },
  );

const s3Answer = (
  status: number,
  code: string,
  headers: Readonly<Record<string, string>> = {},
): RequestListener =>
  answering(
    status,
    `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>no</Message></Error>`,
    { 'content-type': 'application/xml', ...headers },
  );

const getItem = (endpoint: string, signal?: AbortSignal) =>
  new DynamoDBClient({ ...settings(endpoint), requestHandler: { requestTimeout: 0 } }).send(
    new GetItemCommand({ TableName: 't', Key: { id: { S: '1' } } }),
    signal === undefined ? {} : { abortSignal: signal },
  );
const getObject = (endpoint: string, requestTimeout = 0) =>
  new S3Client({
    ...settings(endpoint),
    forcePathStyle: true,
    requestHandler: { requestTimeout, throwOnRequestTimeout: true },
  }).send(new GetObjectCommand({ Bucket: 'b', Key: 'k' }));

const dynamo =
  (status: number, type: string, more: object = {}): ErrorCase['provoke'] =>
  () =>
    withHttp(dynamoAnswer(status, type, more), (url) => thrownBy(getItem(url)));
const s3 =
  (
    status: number,
    code: string,
    headers: Readonly<Record<string, string>> = {},
  ): ErrorCase['provoke'] =>
  () =>
    withHttp(s3Answer(status, code, headers), (url) => thrownBy(getObject(url)));

const client = '@aws-sdk v3';

export const awsCases: readonly ErrorCase[] = [
  {
    client,
    error: 'ThrottlingException HTTP 400',
    happened: 'DynamoDB throttles the account',
    verdict: 'retry overload failure',
    provoke: dynamo(400, 'ThrottlingException'),
  },
  {
    client,
    error: 'ProvisionedThroughputExceededException HTTP 400',
    happened: 'DynamoDB throttles the table',
    verdict: 'retry overload failure',
    provoke: dynamo(400, 'ProvisionedThroughputExceededException'),
  },
  {
    client,
    error: 'RequestLimitExceeded HTTP 400',
    happened: 'DynamoDB throttles requests',
    verdict: 'retry overload failure',
    provoke: dynamo(400, 'RequestLimitExceeded'),
  },
  {
    client,
    error: 'InternalServerError HTTP 500',
    happened: 'DynamoDB failed inside',
    verdict: 'retry failure',
    provoke: dynamo(500, 'InternalServerError'),
  },
  {
    client,
    error: 'TransactionConflictException HTTP 400',
    happened: 'another transaction holds the item',
    verdict: 'retry failure',
    provoke: dynamo(400, 'TransactionConflictException'),
  },
  {
    client,
    error: 'TransactionCanceledException HTTP 400',
    happened: 'a transaction was cancelled, for a reason of each item',
    verdict: 'mistake',
    note: 'The reasons may be a conflict (worth a retry) or a failed condition (not). Read `CancellationReasons` in a `shouldHandle` of your own.',
    provoke: () =>
      withHttp(
        dynamoAnswer(400, 'TransactionCanceledException', {
          CancellationReasons: [{ Code: 'TransactionConflict' }, { Code: 'None' }],
        }),
        (url) =>
          thrownBy(
            new DynamoDBClient(settings(url)).send(
              new TransactWriteItemsCommand({
                TransactItems: [{ Put: { TableName: 't', Item: { id: { S: '1' } } } }],
              }),
            ),
          ),
      ),
  },
  {
    client,
    error: 'ConditionalCheckFailedException HTTP 400',
    happened: 'the condition of a write does not hold',
    verdict: 'mistake',
    provoke: dynamo(400, ConditionalCheckFailedException.name),
  },
  {
    client,
    error: 'ValidationException HTTP 400',
    happened: 'DynamoDB refuses a malformed request',
    verdict: 'mistake',
    provoke: dynamo(400, 'ValidationException'),
  },
  {
    client,
    error: 'ExpiredTokenException HTTP 400',
    happened: 'the session token has expired',
    verdict: 'mistake',
    note: 'The SDK fetches new credentials before they expire; a token that was passed in stays expired.',
    provoke: dynamo(400, 'ExpiredTokenException'),
  },
  {
    client,
    error: 'SlowDown HTTP 503',
    happened: 'S3 asks for fewer requests, with Retry-After: 7',
    verdict: 'retry overload failure',
    retryAfterMs: 7000,
    provoke: s3(503, 'SlowDown', { 'Retry-After': '7' }),
  },
  {
    client,
    error: 'InternalError HTTP 500',
    happened: 'S3 failed inside',
    verdict: 'retry failure',
    provoke: s3(500, 'InternalError'),
  },
  {
    client,
    error: 'RequestTimeout HTTP 400',
    happened: 'S3 waited for the body of an upload',
    verdict: 'retry overload failure',
    provoke: s3(400, 'RequestTimeout'),
  },
  {
    client,
    error: 'OperationAborted HTTP 409',
    happened: 'another change of the bucket is in progress',
    verdict: 'retry failure',
    provoke: s3(409, 'OperationAborted'),
  },
  {
    client,
    error: 'NoSuchKey HTTP 404',
    happened: 'there is no such object',
    verdict: 'mistake',
    provoke: s3(404, 'NoSuchKey'),
  },
  {
    client,
    error: 'AccessDenied HTTP 403',
    happened: 'the policy of the bucket forbids it',
    verdict: 'mistake',
    provoke: s3(403, 'AccessDenied'),
  },
  {
    client,
    error: 'RequestTimeTooSkewed HTTP 403',
    happened: 'the clock of this machine is an hour behind; the SDK has corrected it',
    verdict: 'retry failure',
    note: 'The SDK takes the time from the answer (`$metadata.clockSkewCorrected`), so that the next attempt is signed well.',
    provoke: s3(403, 'RequestTimeTooSkewed', {
      date: new Date(Date.now() + 3_600_000).toUTCString(),
    }),
  },
  {
    client,
    error: 'SignatureDoesNotMatch HTTP 403',
    happened: 'the secret key is wrong',
    verdict: 'mistake',
    provoke: s3(403, 'SignatureDoesNotMatch'),
  },
  {
    client,
    error: 'Error ECONNREFUSED',
    happened: 'nothing listens at the endpoint',
    verdict: 'retry overload failure',
    provoke: async () => thrownBy(getItem(`http://127.0.0.1:${await closedPort()}`)),
  },
  {
    client,
    error: 'TimeoutError ETIMEDOUT',
    happened: '`requestTimeout` ran out',
    verdict: 'retry overload failure',
    provoke: () => withHttp(silent, (url) => thrownBy(getObject(url, 100))),
  },
  {
    client,
    error: 'AbortError',
    happened: 'the `abortSignal` of the call was aborted',
    verdict: 'abort',
    provoke: (signal, abort) => withHttp(abort, (url) => thrownBy(getItem(url, signal))),
  },
  {
    client,
    error: 'Error',
    happened: 'a command without its required `Bucket`',
    verdict: 'failure',
    note: 'The SDK gives this error neither a code nor a name, so that it is as unknown as any `new Error()`.',
    provoke: () =>
      withHttp(answering(200), (url) =>
        thrownBy(
          new S3Client(settings(url)).send(
            new PutObjectCommand({ Key: 'k' } as unknown as ConstructorParameters<
              typeof PutObjectCommand
            >[0]),
          ),
        ),
      ),
  },
];
