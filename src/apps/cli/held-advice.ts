/** A table that is held, or whose deletions are held. */
export interface HeldPlace {
  readonly table: string
  /** Why, as commit records and events name it. */
  readonly reason: string
  /** Whether it is a source table or a star table. */
  readonly kind: 'source' | 'star'
}

/** What releases a held table: the command to type, or the edit before it. */
export function heldAdvice({ table, reason, kind }: HeldPlace): string {
  if (kind === 'star') {
    return `tidemark quarantine list ${table}   shows the refused rows; correct them in the source, then: tidemark run`
  }
  return (ADVICE[reason] ?? FROM_DOCTOR)(table)
}

const FROM_DOCTOR = () => 'tidemark doctor   prints what fixes it; the next run then catches up'

const AFTER_SETTING = () => 'change that, then: tidemark run'

const AFTER_KEYS = () => 'correct the keys in the source, then: tidemark run'

/** The reasons that doctor cannot see, because it reads no rows or takes no batch. */
const ADVICE: Readonly<Record<string, (table: string) => string>> = {
  mass_deletion: (table) => `if that is right: tidemark run --confirm-deletes ${table}`,
  deferred: () => 'tidemark run',
  locked: () => 'tidemark run   reads it once the lock is released',
  key_not_unique: AFTER_KEYS,
  key_not_exact: AFTER_KEYS,
  too_many_rejected: (table) =>
    `correct the rows in the source (quarantine/${table}/ in the ingestion zone keeps them), or raise TIDEMARK_QUARANTINE_PERCENT, then: tidemark run`,
  capture_incomplete: () => 'tidemark run   tries again',
  memory_exceeded: AFTER_SETTING,
  scratch_full: AFTER_SETTING,
  open_files: AFTER_SETTING,
}
