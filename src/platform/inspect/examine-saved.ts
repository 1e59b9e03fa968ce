import type { Deps } from '../deps.ts'
import { codeOf, ConfigError } from '../errors.ts'
import { hostOf, readOptions } from '../io/postgres-url.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { identifier } from '../io/sql.ts'
import { findReaderExcess } from '../presentation/reader-excess.ts'
import { createSavedQuestions } from '../presentation/saved-questions.ts'
import { inSnapshot, openWarehouse, type Warehouse } from '../warehouse/warehouse.ts'
import { check, type Finding, type Fix, type Found, lookAtDatabase } from './finding.ts'

/** The statements that create the role and its schema. An owner of the database may run them. */
const MAKE_ROLE = (database: string): readonly string[] => [
  `create role tidemark_saver login password '…'`,
  `grant connect on database ${database} to tidemark_saver`,
  // An administrator who is not a superuser must be a member to give a schema away.
  'grant tidemark_saver to current_user',
  'create schema authorization tidemark_saver',
  'revoke tidemark_saver from current_user',
]

/**
 * Checks whether questions can be saved, by listing them, which creates their tables if they are
 * missing; and that their role has no other task and cannot change the warehouse. Without a
 * connection string nothing can be saved, which is not a fault: the finding shows the statements
 * that create the role.
 */
export async function examineSaved(
  { warehouse }: Pick<Deps, 'warehouse'>,
  url: string | undefined,
): Promise<Finding> {
  const what = 'questions can be saved'
  const next = lookAtDatabase('TIDEMARK_SAVER_URL')
  if (url === undefined) return await check(what, async () => explain(warehouse.url), { next })
  const user = userOf(url)
  if (user !== undefined && [userOf(warehouse.url), warehouse.readerRole].includes(user)) {
    const detail = `The role ${user} loads or reads the warehouse, and must not keep questions too`
    return { what, ok: false, detail, ...makeRole(warehouse.url) }
  }
  const list = async (): Promise<Found> => {
    await using saved = createSavedQuestions({ url })
    const excess = () => checkExcess({ ...warehouse, url })
    const { length } = await saved.list().catch(async (error: unknown) => {
      // Which rights are too many, and the statements that revoke them, if it is that.
      if (codeOf(error) === 'SAVED_RIGHTS') await excess()
      throw error
    })
    await excess()
    return `${hostOf(url)}, ${length} saved`
  }
  return await check(what, list, { next })
}

/** Throws `ConfigError` if the role of a connection string can change the warehouse. */
async function checkExcess(saver: Warehouse): Promise<void> {
  await using session = await openWarehouse({ ...saver, attempts: 1 })
  const found = await withPostgresErrors(saver, () =>
    inSnapshot(session, () => findReaderExcess(session)),
  )
  const excess = found.filter(({ kind }) => kind === 'writes')
  if (excess.length === 0) return
  throw new ConfigError(`Too many rights: ${excess.map(({ what }) => what).join('; ')}`, {
    code: 'SAVED_RIGHTS',
    // A reader keeps the right to read. This role needs none.
    hint: excess.map(({ fix }) => `${fix.split('; grant select ')[0]};`).join('\n          '),
  })
}

function explain(warehouseUrl: string): Found {
  return {
    unchecked: true,
    detail: 'TIDEMARK_SAVER_URL is not set; nothing else needs it',
    ...makeRole(warehouseUrl),
  }
}

/** How to make a role that keeps saved questions beside a warehouse. */
function makeRole(warehouseUrl: string): Fix {
  const database = databaseOf(warehouseUrl)
  const address = `${hostOf(warehouseUrl)}/${encodeURIComponent(database)}`
  return {
    hint: MAKE_ROLE(identifier(database))
      .map((statement) => `${statement};`)
      .join('\n          '),
    note: `then set TIDEMARK_SAVER_URL=postgresql://tidemark_saver:…@${address}`,
  }
}

/** The user of a connection string. Undefined if it cannot be read, which another check reports. */
function userOf(url: string): string | undefined {
  try {
    return readOptions(new URL(url)).user
  } catch {
    return undefined
  }
}

/** The name of a database. Another check reports a connection string that cannot be read. */
function databaseOf(url: string): string {
  try {
    return readOptions(new URL(url)).database
  } catch {
    return 'warehouse'
  }
}
