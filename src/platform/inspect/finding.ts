import { TidemarkError } from '../errors.ts'

/** The result of one of the doctor's checks. */
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

/** Does `work` and returns its outcome as a finding. Never throws. */
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
    // A failed run hints at "tidemark doctor"; the doctor must not send people round in circles.
    const hint = fix?.(error) ?? (own === 'tidemark doctor' ? undefined : own)
    return { what, ok: false, detail, ...(hint === undefined ? {} : { hint }) }
  }
}
