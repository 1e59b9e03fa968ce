import { readFileSync } from 'node:fs'
import { type Client, readText } from '../postgres.ts'

/** A select of every function that may do more than compute: `oid`, `name`, `is_built_in`. */
export const ACTING_FUNCTIONS = read('acting_functions.sql')

const GUARD = read('statement_guard.sql').replace(
  '/* acting_functions.sql */',
  () => ACTING_FUNCTIONS,
)

function read(file: string): string {
  return readFileSync(new URL(file, import.meta.url), 'utf8')
}

/** What a statement may not name, and where in it that stands. */
export interface Forbidden {
  /** As Postgres calls it; or what hides a name. */
  readonly name: string
  /** Counted from 1. */
  readonly position: number
}

/**
 * The first thing a statement names that may do more than read: a function that Postgres calls
 * volatile (save harmless ones), a view made with one, or an operator or cast made of one. It is
 * sought in the whole text, strings and comments included, as whole words in any case: nothing that
 * is spelt in the text can be missed, whatever the syntax around it. A text that spells names by
 * escapes (`U&"…"`) is refused for that. Needs no more rights than any role has. Throws what `pg` throws.
 */
export async function findForbidden(client: Client, sql: string): Promise<Forbidden | undefined> {
  const escaped = /u&"/i.exec(sql)
  if (escaped !== null) return { name: 'U&"…"', position: escaped.index + 1 }
  // A doubled quote within a quoted name is one.
  const text = sql.toLowerCase().replaceAll('""', '"')
  const words = new Set([...text.matchAll(WORD)].map(([word]) => word))
  const { rows } = await readText(client, GUARD, [arrayOf(words), text])
  const name = rows[0]?.[0] ?? undefined
  if (name === undefined) return undefined
  return { name, position: Math.max(0, sql.toLowerCase().indexOf(name.toLowerCase())) + 1 }
}

/** Letters and digits as in Postgres' names: every character beyond ASCII is a letter (manual, 4.1.1). */
const WORD = /[a-z_\u{80}-\u{10ffff}][\w$\u{80}-\u{10ffff}]*/gu

function arrayOf(words: ReadonlySet<string>): string {
  // Names in question are ASCII; words with anything else are none of them.
  return `{${[...words].filter((word) => /^[\w$]+$/.test(word)).join(',')}}`
}
