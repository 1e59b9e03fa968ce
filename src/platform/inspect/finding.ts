import { TidemarkError } from '../errors.ts'

/** The result of one of the doctor's checks. */
export interface Finding {
  readonly what: string
  readonly ok: boolean
  /** What the check found, or what failed. */
  readonly detail: string
  /** The fix: the statement, command or edit to type. */
  readonly hint?: string
}

/** How a failed check finds its hint. */
export interface CheckOptions {
  /** Gives a better hint than the error's own; undefined if it knows none. */
  readonly fix?: (error: unknown) => string | undefined
}

/**
 * Runs `work` and returns its result as a finding; an error becomes a finding that is not `ok`.
 * Never throws.
 */
export async function check(
  what: string,
  work: () => Promise<string | Omit<Finding, 'what' | 'ok'>>,
  { fix }: CheckOptions = {},
): Promise<Finding> {
  try {
    const found = await work()
    return { what, ok: true, ...(typeof found === 'string' ? { detail: found } : found) }
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    const own = error instanceof TidemarkError ? error.hint : undefined
    // A failed run hints at "tidemark doctor"; the doctor must not send people in a circle.
    const hint = fix?.(error) ?? (own === 'tidemark doctor' ? undefined : own)
    return { what, ok: false, detail, ...(hint === undefined ? {} : { hint }) }
  }
}
