// Names that people chose, of tables, columns and checks, may be names that every object inherits. So a
// record by such names is made with `namedRecord`, or read with `own` if it may come from elsewhere.

/**
 * A record that has nothing but these names: looking up `constructor` gives undefined unless it is one
 * of them, and `__proto__` is a name like any other.
 */
export function namedRecord<T>(entries: Iterable<readonly [string, T]> = []): Record<string, T> {
  const record = Object.create(null) as Record<string, T>
  for (const [name, value] of entries) record[name] = value
  return record
}

/** The value that a record itself has for a name; undefined for a name that objects inherit. */
export function own<T>(
  record: Readonly<Record<string, T>> | undefined,
  name: string,
): T | undefined {
  return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined
}
