import pg from 'pg'

/** Quotes an identifier for Postgres or DuckDB. Any text is safe, hostile text included. */
export function identifier(name: string): string {
  return pg.escapeIdentifier(name)
}

/** A dotted, quoted name: `qualified('public', 'user')` is `"public"."user"`. */
export function qualified(...names: readonly string[]): string {
  return names.map(identifier).join('.')
}

/** Quoted names, separated by commas. */
export function identifiers(names: readonly string[]): string {
  return names.map(identifier).join(', ')
}

/**
 * A string literal for DuckDB, which has no backslash escapes. Only for text that cannot be a
 * parameter there: paths, values of options, names of columns.
 */
export function duckLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
