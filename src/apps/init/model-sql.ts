import { identifier } from '../../platform/io/sql.ts'
import { shortName } from '../../platform/project/names.ts'

/** Words that DuckDB takes for its own where a model names a table or a column. */
const RESERVED: ReadonlySet<string> = new Set(
  `all analyse analyze and anti any array as asc asof asymmetric at authorization binary both by case
  cast check collate collation column columns concurrently constraint create cross default deferrable desc
  describe distinct do else end except false fetch for foreign freeze from full generated glob group having ilike in initially inner intersect into is isnull join lambda lateral leading left like
  limit map natural not notnull null offset on only or order outer overlaps pivot pivot_longer
  pivot_wider placing positional primary qualify references returning right select semi show similar
  some struct summarize symmetric table tablesample then to trailing true try_cast union unique unpack
  unpivot using variadic verbose when where window with`.split(/\s+/),
)

/** A name as a person writes it in DuckDB: in quotes only if it needs them. */
export function modelName(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) && !RESERVED.has(name) ? name : identifier(name)
}

/** Text for a line of a comment: one line, without control characters, whatever a name holds. */
export function commentText(text: string): string {
  return text.replaceAll(/[\p{C}\p{Z}]+/gu, ' ').trim()
}

/** The comment at the head of a model. `says` ends the sentence that the model's name begins. */
export function modelHeader(
  name: string,
  {
    says,
    grain,
    sources,
    history,
  }: { says: string; grain: string; sources: readonly string[]; history: string },
): string {
  return [
    `${name}: ${says}`,
    `Grain: ${grain}`,
    `Sources: ${sources.join(', ')}.`,
    `History: ${history}`,
  ]
    .map(commentLine)
    .join('\n')
}

/** A line of a comment. */
export function commentLine(text: string): string {
  return `-- ${commentText(text)}`
}

/** A column of a model: its name and what it is made of. */
export interface ModelColumn {
  readonly name: string
  /** One expression; without a new name if it is a column of that name. */
  readonly sql: string
}

/** One line for each column, as a select lists them. */
export function selectList(columns: readonly ModelColumn[]): string {
  return columns
    .map(({ name, sql }) => {
      const written = modelName(name)
      return sql.endsWith(`.${written}`) ? sql : `${sql} as ${written}`
    })
    .map((line) => `    ${line}`)
    .join(',\n')
}

/**
 * Hands out names that Postgres does not cut, and that differ in more than case from each other and from
 * those that are taken.
 */
export function createNamer(taken: Iterable<string> = []): (wanted: string) => string {
  const used = new Set([...taken].map((name) => name.toLowerCase()))
  return (wanted) => {
    let name = shortName(wanted)
    for (let number = 2; used.has(name.toLowerCase()); number++)
      name = shortName(wanted, `_${number}`)
    used.add(name.toLowerCase())
    return name
  }
}
