/** Longest string that a program may make, in bytes of UTF-8. */
export const MAX_STRING_BYTES = 1_048_576;
/** Calls that may be running inside each other. */
export const MAX_CALL_DEPTH = 1000;
/** How a program that met a fault exits, interpreted or compiled: `EX_SOFTWARE` of sysexits.h. */
export const FAULT_EXIT_CODE = 70;

export type FaultKind =
  | 'overflow'
  | 'divisionByZero'
  | 'negativeExponent'
  | 'noInt'
  | 'stringTooLong'
  | 'tooDeep';

/** What can go wrong while a program runs. The interpreter and the C code say the same words. */
export const FAULTS: Readonly<Record<FaultKind, string>> = {
  overflow: 'integer overflow',
  divisionByZero: 'division by zero',
  negativeExponent: 'negative exponent of an int',
  noInt: 'the float is no int',
  stringTooLong: `a string of more than ${MAX_STRING_BYTES} bytes`,
  tooDeep: `more than ${MAX_CALL_DEPTH} calls inside each other`,
};

/** Ends an operation that cannot be done; the machine adds where. */
export class Fault extends Error {
  readonly fault: FaultKind;

  constructor(fault: FaultKind) {
    super(FAULTS[fault]);
    this.fault = fault;
  }
}

/** The line that a program prints to its error output when it meets a fault. */
export function faultLine(kind: FaultKind, place: string): string {
  return `runtime error at ${place}: ${FAULTS[kind]}\n`;
}
