/** Maximum length of a string at runtime, in bytes of UTF-8. */
export const MAX_STRING_BYTES = 1_048_576;
/** Maximum call depth. */
export const MAX_CALL_DEPTH = 1000;
/** Exit code after a runtime error, interpreted or compiled: `EX_SOFTWARE` of sysexits.h. */
export const FAULT_EXIT_CODE = 70;

export type FaultKind =
  | 'overflow'
  | 'divisionByZero'
  | 'negativeExponent'
  | 'noInt'
  | 'stringTooLong'
  | 'tooDeep';

/** The runtime errors and their messages, shared by the interpreter and the compiled C code. */
export const FAULTS: Readonly<Record<FaultKind, string>> = {
  overflow: 'integer overflow',
  divisionByZero: 'division by zero',
  negativeExponent: 'negative exponent in integer power',
  noInt: 'float out of range for int',
  stringTooLong: `string longer than ${MAX_STRING_BYTES} bytes`,
  tooDeep: `call depth exceeds ${MAX_CALL_DEPTH}`,
};

/** Aborts an operation with a runtime error; the machine adds the position. */
export class Fault extends Error {
  readonly fault: FaultKind;

  constructor(fault: FaultKind) {
    super(FAULTS[fault]);
    this.fault = fault;
  }
}

/** The line that a program writes to standard error on a runtime error. */
export function faultLine(kind: FaultKind, place: string): string {
  return `runtime error at ${place}: ${FAULTS[kind]}\n`;
}
