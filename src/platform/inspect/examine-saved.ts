import type { Deps } from '../deps.ts'
import { hostOf, readOptions } from '../io/postgres-url.ts'
import { identifier } from '../io/sql.ts'
import { createSavedQuestions } from '../presentation/saved-questions.ts'
import { check, type Finding, type Found, lookAtDatabase } from './finding.ts'

/** The statements that make the role, and its schema. An owner of the database may run them. */
const MAKE_ROLE = (database: string): readonly string[] => [
  `create role tidemark_saver login password '…'`,
  `grant connect on database ${database} to tidemark_saver`,
  // An administrator who is not a superuser must be a member to give a schema away.
  'grant tidemark_saver to current_user',
  'create schema authorization tidemark_saver',
  'revoke tidemark_saver from current_user',
]

/**
 * Checks whether questions can be saved, by listing them, which makes their tables if they are
 * missing. Without a connection string it is no fault: nothing can be saved, and the finding shows
 * the statements that make the role.
 */
export async function examineSaved(
  { warehouse }: Pick<Deps, 'warehouse'>,
  url: string | undefined,
): Promise<Finding> {
  const what = 'questions can be saved'
  const next = lookAtDatabase('TIDEMARK_SAVER_URL')
  if (url === undefined) return await check(what, async () => explain(warehouse.url), { next })
  const list = async (): Promise<Found> => {
    await using saved = createSavedQuestions({ url })
    const { length } = await saved.list()
    return `${hostOf(url)}, ${length} saved`
  }
  return await check(what, list, { next })
}

function explain(warehouseUrl: string): Found {
  const database = databaseOf(warehouseUrl)
  const address = `${hostOf(warehouseUrl)}/${encodeURIComponent(database)}`
  return {
    unchecked: true,
    detail: 'TIDEMARK_SAVER_URL is not set; nothing else needs it',
    hint: MAKE_ROLE(identifier(database))
      .map((statement) => `${statement};`)
      .join('\n          '),
    note: `then set TIDEMARK_SAVER_URL=postgresql://tidemark_saver:…@${address}`,
  }
}

/** The name of a database. A connection string that cannot be read is another check's matter. */
function databaseOf(url: string): string {
  try {
    return readOptions(new URL(url)).database
  } catch {
    return 'warehouse'
  }
}
