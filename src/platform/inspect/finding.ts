import { TidemarkError } from '../errors.ts'

/** The result of one of the doctor's checks. */
export interface Finding {
  readonly what: string
  readonly ok: boolean
  /** What the check found, or what failed. */
  readonly detail: string
  /** The fix: the statement, command or edit to type. A failed check always has one. */
  readonly hint?: string
}

/** How a failed check finds its hint. */
export interface CheckOptions {
  /** What to look at if neither `fix` nor the error knows better. */
  readonly next: string
  /** Gives a better hint than the error's own; undefined if it knows none. */
  readonly fix?: (error: unknown) => string | undefined
}

/**
 * Runs `work` and returns its result as a finding; an error becomes a finding that is not `ok`,
 * with a hint. Never throws.
 */
export async function check(
  what: string,
  work: () => Promise<string | Omit<Finding, 'what' | 'ok'>>,
  { next, fix }: CheckOptions,
): Promise<Finding> {
  try {
    const found = await work()
    return { what, ok: true, ...(typeof found === 'string' ? { detail: found } : found) }
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    const again = `${next}; then: tidemark doctor`
    return { what, ok: false, detail, hint: fix?.(error) ?? findStep(error) ?? again }
  }
}

/**
 * The error's own hint, if it is a step. A failed run suggests "tidemark doctor", or says that the
 * next run tries again. Neither helps a person who has just called the doctor.
 */
function findStep(error: unknown): string | undefined {
  if (!(error instanceof TidemarkError) || /_(UNREACHABLE|EMPTY)$/.test(error.code))
    return undefined
  return error.hint === 'tidemark doctor' ? undefined : error.hint
}

/** What to check if a database does not answer as it should. */
export function lookAtDatabase(variable: string): string {
  return `check that the server runs, that ${variable} is right, and what the server's log says`
}
