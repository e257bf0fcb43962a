import { safeDetails } from '../http/safe-details.ts';
import type { CheckReport, HealthReport } from '../report.ts';
import type { ResolvedTerminusOptions } from './options.ts';

/**
 * The JSON body in which terminus answers. `info` contains the details of the checks, and `error` the
 * `causes` of the errors that failing checks have thrown; `details` repeats either. All text in them is
 * bounded and scrubbed.
 *
 * @throws what a getter or a `toJSON` of the details throws
 */
export function terminusBody(
  report: HealthReport,
  options: Pick<ResolvedTerminusOptions, 'verbatim' | 'statusOkResponse' | 'statusErrorResponse'>,
  withDetails: boolean,
): object {
  const { verbatim, statusOkResponse, statusErrorResponse } = options;
  if (report.status === 'unhealthy') {
    const error = withDetails ? causesOf(report) : undefined;
    return { ...statusErrorResponse, ...(error === undefined ? {} : { error, details: error }) };
  }
  const info = withDetails ? infoOf(report) : undefined;
  if (info === undefined) return statusOkResponse;
  return { ...statusOkResponse, ...(verbatim ? info : { info, details: info }) };
}

/** The details of all checks in one object; those of a later check replace those of the same name. */
function infoOf({ checks }: HealthReport): object | undefined {
  const details = checks.flatMap((check) => check.details ?? []);
  if (details.length === 0) return undefined;
  return Object.fromEntries(details.flatMap((each) => Object.entries(safeDetails(each) as object)));
}

/** The causes of the only failing check that has any, or those of all in one list. */
function causesOf({ checks, excluded }: HealthReport): unknown {
  const fails = ({ name, status, critical }: CheckReport): boolean =>
    status === 'unhealthy' && critical && !excluded.includes(name);
  const causes = checks
    .filter(fails)
    .map(({ details }) => details?.causes)
    .filter((each) => each !== undefined && each !== null);
  return causes.length > 1 ? safeDetails(causes.flat()) : safeDetails(causes[0]);
}
