import type { DuckDb } from '../../src/platform/io/duckdb.ts'

/** The outcome of a stage whose statements failed one after the other. */
export interface Failures {
  /** How many statements failed, each in an attempt of its own. */
  readonly failed: number
  /** The relations left behind by the first attempt that left any. */
  readonly left: readonly string[]
}

/**
 * Attempts a stage again and again: in the first attempt its first statement in DuckDB fails, in
 * the second its second, until an attempt succeeds or leaves a relation behind. All statements
 * before that one run for real. The stage must dispose of what it returns.
 */
export async function failEachStatement(
  db: DuckDb,
  stage: (db: DuckDb) => Promise<void>,
): Promise<Failures> {
  for (let place = 1; ; place++) {
    const failing = failAt(db, place)
    try {
      await stage(failing.db)
    } catch (error) {
      if (!failing.hasFailed()) throw error
    }
    const left = await listRelations(db)
    const failed = failing.hasFailed() ? place : place - 1
    if (left.length > 0 || failed < place) return { failed, left }
  }
}

/** Names of the temporary tables and views of a database. */
export async function listRelations(db: DuckDb): Promise<string[]> {
  const rows = await db.rows<{ name: string }>(`
    select view_name as name from duckdb_views() where temporary and not internal
    union all select table_name from duckdb_tables() where temporary`)
  return rows.map(({ name }) => name)
}

/** The database, except that statement number `place` fails. Disposing of a relation never fails. */
function failAt(db: DuckDb, place: number): { readonly db: DuckDb; hasFailed(): boolean } {
  let count = 0
  const attempt = async <T>(work: () => Promise<T>): Promise<T> => {
    count += 1
    if (count === place) throw new Error('this statement fails')
    return await work()
  }
  return {
    hasFailed: () => count >= place,
    db: {
      ...db,
      run: (sql) => attempt(() => db.run(sql)),
      rows: <Row>(sql: string) => attempt(() => db.rows<Row>(sql)),
      row: <Row>(sql: string) => attempt(() => db.row<Row>(sql)),
      count: (relation) => attempt(() => db.count(relation)),
      table: (select, as) => attempt(() => db.table(select, as)),
      view: (select, as) => attempt(() => db.view(select, as)),
    },
  }
}
