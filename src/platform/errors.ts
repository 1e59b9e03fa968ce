/**
 * The parts of an error beside its message. `code` is stable and upper case; JSON output and logs
 * show it. `hint` is the next command or edit that fixes the problem. No error carries a row, a
 * value or a connection string.
 */
export interface ErrorDetail {
  readonly code: string
  readonly hint?: string
  readonly cause?: unknown
}

/** The base of all errors of Tidemark. Each subclass is named for the way a caller reacts to it. */
export class TidemarkError extends Error {
  readonly code: string
  readonly hint: string | undefined

  constructor(message: string, { code, hint, cause }: ErrorDetail) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = new.target.name
    this.code = code
    this.hint = hint
  }
}

/**
 * The code that Node, Postgres or an SDK gave an error, such as `ENOENT` or an SQLSTATE. Empty if it
 * has none.
 */
export function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return ''
  return typeof error.code === 'string' ? error.code : ''
}

/** Somebody must edit something: a setting, a credential or a grant. Never retried. */
export class ConfigError extends TidemarkError {}

/** The source or a stored object is not as it must be. Never retried. */
export class ContractError extends TidemarkError {}

/** Another writer was first. Read the last batch again, then decide. */
export class ConflictError extends TidemarkError {}

/**
 * Something outside was unavailable for a moment. Nothing is lost, and the same call may succeed
 * later.
 */
export class TransientError extends TidemarkError {}

/** The operator or the platform asked the run to stop, and it stopped at a safe point. */
export class InterruptedError extends TidemarkError {}
