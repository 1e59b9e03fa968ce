/**
 * The few ways a run can fail, named for what the catcher does about it.
 * `code` is stable and upper case (it appears in JSON output and logs), `hint` is the next command
 * or edit that fixes it. No error ever carries a row, a value or a connection string.
 */
export interface ErrorDetail {
  readonly code: string
  readonly hint?: string
  readonly cause?: unknown
}

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

/** Someone has to edit something: a setting, a credential, a grant. Never retried. */
export class ConfigError extends TidemarkError {}

/** The source or an archived object is not what it must be. Never retried. */
export class ContractError extends TidemarkError {}

/** Another writer was first. Re-read the last batch and decide again. */
export class ConflictError extends TidemarkError {}

/** The world was away for a moment. Nothing is lost; the same call may succeed later. */
export class TransientError extends TidemarkError {}

/** The operator or the platform asked the run to stop; it stopped at a safe point. */
export class InterruptedError extends TidemarkError {}
