import { readFileSync } from 'node:fs'
import { readText } from '../io/postgres-text.ts'
import type { Client } from '../io/postgres.ts'

/** SQL of every function that may do more than compute: `oid`, `name`, `is_built_in`. */
export const ACTING_FUNCTIONS = read('acting-functions.sql')

const GUARD = read('statement-guard.sql').replace(
  '/* acting-functions.sql */',
  () => ACTING_FUNCTIONS,
)

function read(file: string): string {
  return readFileSync(new URL(file, import.meta.url), 'utf8')
}

/** A name that a statement must not hold, and its place in the statement. */
export interface Forbidden {
  /** The name as Postgres spells it, or the escape that can hide a name. */
  readonly name: string
  /** Counted from 1. */
  readonly position: number
}

/**
 * Finds a name in a statement that may do more than read, the first in alphabetical order: a
 * function that Postgres calls volatile (except harmless ones), or a view, an operator or a cast
 * made with such a function. Returns undefined if the statement is safe.
 *
 * It searches the whole text, with strings and comments, for whole words in any case. So no name
 * that is spelt in the text is missed, whatever the syntax around it. Text that can spell a name by
 * escapes (`U&"…"`) is refused. Needs only rights that every role has. Throws `pg`'s errors unchanged.
 */
export async function findForbidden(client: Client, sql: string): Promise<Forbidden | undefined> {
  const escaped = /u&"/i.exec(sql)
  if (escaped !== null) return { name: 'U&"…"', position: escaped.index + 1 }
  // A doubled quote inside a quoted name means one quote.
  const text = sql.toLowerCase().replaceAll('""', '"')
  const words = new Set([...text.matchAll(WORD)].map(([word]) => word))
  const { rows } = await readText(client, GUARD, [arrayOf(words), text])
  const name = rows[0]?.[0] ?? undefined
  if (name === undefined) return undefined
  return { name, position: Math.max(0, sql.toLowerCase().indexOf(name.toLowerCase())) + 1 }
}

/**
 * A word by the rules of Postgres' names: every character beyond ASCII is a letter (manual, 4.1.1).
 */
const WORD = /[a-z_\u{80}-\u{10ffff}][\w$\u{80}-\u{10ffff}]*/gu

function arrayOf(words: ReadonlySet<string>): string {
  // All names to find are ASCII, so words with other characters cannot match.
  return `{${[...words].filter((word) => /^[\w$]+$/.test(word)).join(',')}}`
}
