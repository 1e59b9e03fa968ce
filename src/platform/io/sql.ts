import pg from 'pg'

/** An identifier quoted for Postgres or DuckDB: any name, hostile ones included, is only a name. */
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
 * A string literal for DuckDB, whose strings know no backslash escapes. Only for what cannot be a
 * parameter there: paths, option values, the names of columns.
 */
export function duckLiteral(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
