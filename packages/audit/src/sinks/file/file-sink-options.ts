import { type Clock, systemClock } from '@temper/core';
import {
  clockRule,
  type Defaults,
  nameRule,
  numberRule,
  type Resolved,
  resolveOptions,
  typeRule,
} from '@temper/core/policy';
import { textRule } from '../../option-rules.ts';
import { type FilePort, nodeFiles } from './file-port.ts';

/** Options of `fileSink`. */
export interface FileSinkOptions {
  /** Directory of the files. Created with mode 0700 if it does not exist. */
  readonly directory: string;
  /** @defaultValue 'file' */
  readonly name?: string;
  /**
   * Size at which a file is closed and a new one is started, in bytes.
   *
   * @defaultValue 33_554_432
   * @throws {RangeError} at construction, unless an integer from 1_024 to 1_073_741_824
   */
  readonly maxSegmentBytes?: number;
  /**
   * Age at which a file is closed and a new one is started with the next event, in milliseconds.
   *
   * @defaultValue 86_400_000
   * @throws {RangeError} at construction, unless >= 1 (`Infinity` allowed)
   */
  readonly maxSegmentAgeMs?: number;
  /** Whether closed files are compressed in the background. @defaultValue true */
  readonly gzip?: boolean;
  /**
   * Maximum number of files, the open one included.
   *
   * @defaultValue Infinity
   * @throws {RangeError} at construction, unless an integer >= 2 (`Infinity` allowed)
   */
  readonly maxSegments?: number;
  /**
   * Closed files whose events are all older than this are removed, in milliseconds.
   *
   * @defaultValue Infinity
   * @throws {RangeError} at construction, unless >= 1 (`Infinity` allowed)
   */
  readonly maxAgeMs?: number;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
  /** The file system. @defaultValue the local file system */
  readonly files?: FilePort;
}

type Defaulted = Defaults<FileSinkOptions, 'directory'>;
/** Checked {@link FileSinkOptions} with defaults applied. */
export type ResolvedFileSinkOptions = Resolved<FileSinkOptions, 'directory'> & FileSinkOptions;

/** The defaults of {@link FileSinkOptions}, as the README's table shows them. */
export const FILE_SINK_DEFAULTS: Omit<Defaulted, 'clock' | 'files'> = {
  name: 'file',
  maxSegmentBytes: 33_554_432,
  maxSegmentAgeMs: 86_400_000,
  gzip: true,
  maxSegments: Number.POSITIVE_INFINITY,
  maxAgeMs: Number.POSITIVE_INFINITY,
};

const OWNER = 'fileSink';

/**
 * Checks the options and applies the defaults.
 *
 * @throws {TypeError | RangeError} if an option is invalid, see {@link FileSinkOptions}
 */
export function resolveFileSinkOptions(options: FileSinkOptions): ResolvedFileSinkOptions {
  const all = resolveOptions<FileSinkOptions, 'directory'>(
    OWNER,
    options,
    { ...FILE_SINK_DEFAULTS, clock: systemClock, files: nodeFiles },
    {
      directory: textRule,
      name: nameRule,
      maxSegmentBytes: numberRule({ min: 1_024, max: 2 ** 30, integer: true }),
      maxSegmentAgeMs: numberRule({ min: 1 }),
      gzip: typeRule('boolean'),
      maxSegments: numberRule({ min: 2, integer: true }),
      maxAgeMs: numberRule({ min: 1 }),
      clock: clockRule,
      files: typeRule('object'),
    },
  );
  textRule(OWNER, 'directory', all.directory);
  return all as ResolvedFileSinkOptions;
}
