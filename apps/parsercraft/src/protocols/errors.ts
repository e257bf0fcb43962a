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
  /** Where, for instance `Reader.read`. */
  readonly path: string;
  readonly message: string;
}

/** Protocols, or a question about them, that make no sense; every fault found is in `issues`. */
export class ProtocolValidationError extends Error {
  override readonly name = 'ProtocolValidationError';
  readonly code = 'ERR_PARSERCRAFT_PROTOCOL';
  readonly issues: readonly ProtocolIssue[];

  constructor(issues: readonly ProtocolIssue[]) {
    super(issues.map(({ path, message }) => `${path}: ${message}`).join('\n'));
    this.issues = issues;
  }
}
