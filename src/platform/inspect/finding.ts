import { TidemarkError } from '../errors.ts'

/** The result of one of the doctor's checks. */
export interface Finding extends Partial<Fix> {
  readonly what: string
  /** Whether nothing is wrong, as far as it was checked. */
  readonly ok: boolean
  /** Set if it was not checked, for the reason in `detail`. */
  readonly unchecked?: true
  /** What the check found, or what failed. */
  readonly detail: string
}

/** How to fix a problem. A failed check always has a fix. */
export interface Fix {
  /** The statement, command or edit to type. Nothing but SQL if it begins with SQL. */
  readonly hint: string
  /** In words, what to do after the statement, or instead of it. */
  readonly note?: string
}

/** What a check that does not fail returns: a finding, or only its detail. */
export type Found = string | Omit<Finding, 'what' | 'ok'>

/** How a failed check finds its hint. */
export interface CheckOptions {
  /** What to look at if neither `fix` nor the error knows better. */
  readonly next: string
  /** Gives a better hint than the error's own; undefined if it knows none. */
  readonly fix?: (error: unknown) => Fix | string | undefined
}

/**
 * Runs `work` and returns its result as a finding; an error becomes a finding that is not `ok`,
 * with a hint. Never throws.
 */
export async function check(
  what: string,
  work: () => Promise<Found>,
  { next, fix }: CheckOptions,
): Promise<Finding> {
  try {
    const found = await work()
    return { what, ok: true, ...(typeof found === 'string' ? { detail: found } : found) }
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    const step = fix?.(error) ?? findStep(error) ?? `${next}; then: tidemark doctor`
    return { what, ok: false, detail, ...(typeof step === 'string' ? { hint: step } : step) }
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
