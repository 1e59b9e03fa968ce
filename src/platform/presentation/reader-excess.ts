import { readFileSync } from 'node:fs'
import type { WarehouseClient } from '../warehouse/warehouse.ts'
import { ACTING_FUNCTIONS } from './statement-guard.ts'

const EXCESS = readFileSync(new URL('reader-excess.sql', import.meta.url), 'utf8').replace(
  '/* acting-functions.sql */',
  () => ACTING_FUNCTIONS,
)

/** A right of the reader role that a reader does not need. */
export interface ReaderExcess {
  /**
   * `writes`: the server refuses to work with such a role. `unbounded`: one question can fill the
   * disk. `functions`: the Ask page refuses them, but anybody with the role's password can run
   * them.
   */
  readonly kind: 'writes' | 'unbounded' | 'functions'
  /** The right in words. `it` is the role. */
  readonly what: string
  /** The SQL that revokes the right, for the warehouse's owner or administrator. */
  readonly fix: string
}

/**
 * The rights of a connection's role that a reader does not need, the worst first; empty if there
 * are none. Read-only. Throws `pg`'s errors unchanged.
 */
export async function findReaderExcess({
  client,
  warehouse,
}: WarehouseClient): Promise<readonly ReaderExcess[]> {
  const { rows } = await client.query<ReaderExcess>(EXCESS, [warehouse.schema])
  return rows.toSorted((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind))
}

const KINDS: readonly ReaderExcess['kind'][] = ['writes', 'unbounded', 'functions']
