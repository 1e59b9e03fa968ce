import { TidemarkError } from './errors.ts'

/** One thing the doctor looked at. */
export interface Finding {
  readonly what: string
  readonly ok: boolean
  /** What was seen, or what is wrong. */
  readonly detail: string
  /** What fixes it: the statement, command or edit to type. */
  readonly hint?: string
}

export interface CheckOptions {
  /** A better hint than the error's own. */
  readonly fix?: (error: unknown) => string | undefined
}

/** Does a piece of work, and returns what came of it instead of throwing. */
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
    // A run that cannot go on says "tidemark doctor"; the doctor does not send you round in circles.
    const hint = fix?.(error) ?? (own === 'tidemark doctor' ? undefined : own)
    return { what, ok: false, detail, ...(hint === undefined ? {} : { hint }) }
  }
}
