type ProtocolIssueKind =
  | 'duplicate-protocol'
  | 'bad-name'
  | 'bad-type'
  | 'unknown-protocol'
  | 'extends-cycle'
  | 'member-conflict'
  | 'too-many';

export interface ProtocolIssue {
  readonly kind: ProtocolIssueKind;
  /** The protocol and member, for example `Reader.read`. */
  readonly path: string;
  readonly message: string;
}

/** Protocols, or the arguments of a check, are invalid. `issues` has every issue found. */
export class ProtocolValidationError extends Error {
  override readonly name = 'ProtocolValidationError';
  readonly code = 'ERR_PARSERCRAFT_PROTOCOL';
  readonly issues: readonly ProtocolIssue[];

  constructor(issues: readonly ProtocolIssue[]) {
    super(issues.map(({ path, message }) => `${path}: ${message}`).join('\n'));
    this.issues = issues;
  }
}
