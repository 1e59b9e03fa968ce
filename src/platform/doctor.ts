import type { Deps } from './deps.ts'
import { ContractError, TidemarkError } from './errors.ts'
import type { FeedServer } from './feed-sources.ts'
import { formatOf } from './lake/feed-file.ts'
import type { ObjectStore } from './lake/object-store.ts'
import { hostOf, onlyRow, withPostgresErrors } from './postgres.ts'
import type { Project } from './project.ts'
import { identifier } from './sql.ts'
import type { Drop } from './source/drop.ts'
import { ask, placeOf } from './source/http.ts'
import { openSnapshot } from './source/snapshot.ts'
import { readTables } from './source/tables.ts'
import { inSnapshot, openWarehouse } from './warehouse/warehouse.ts'

export interface Finding {
  readonly what: string
  readonly ok: boolean
  /** What was seen, or what is wrong. */
  readonly detail: string
  /** What mends it. */
  readonly hint?: string
}

/** The oldest warehouse server: the as-of functions have SQL-standard bodies. */
const OLDEST_WAREHOUSE = 140_000

/**
 * Checks everything a run needs, one thing after the other, and goes on after a fault. Changes
 * nothing but one small object a day that proves each zone can be written, under `doctor/`.
 */
export async function examine(deps: Deps): Promise<Finding[]> {
  return [
    await check(`${deps.source.title} answers`, () => examineSource(deps)),
    await check('its tables can be read', () => examineTables(deps)),
    await check('the warehouse can be written', () => examineWarehouse(deps)),
    await check('the ingestion zone can be written', () => examineZone(deps.ingestion)),
    await check('the processed zone can be written', () => examineZone(deps.processed)),
    ...(await examineFeeds(deps)),
  ]
}

async function check(what: string, work: () => Promise<string>): Promise<Finding> {
  try {
    return { what, ok: true, detail: await work() }
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    const hint = error instanceof TidemarkError ? error.hint : undefined
    // A run that cannot go on says "tidemark doctor"; the doctor does not send you round in circles.
    return hint === undefined || hint === 'tidemark doctor'
      ? { what, ok: false, detail }
      : { what, ok: false, detail, hint }
  }
}

async function examineSource(deps: Deps): Promise<string> {
  await using snapshot = await openSnapshot({ ...deps.source, attempts: 1 })
  const { standby, systemId } = snapshot.identity
  const known = systemId === '' ? ', cannot tell restores apart (grant pg_control_system())' : ''
  return `${hostOf(deps.source.url)}${standby ? ', a standby' : ''}${known}`
}

async function examineTables(deps: Deps): Promise<string> {
  await using snapshot = await openSnapshot({ ...deps.source, attempts: 1 })
  const tables = await readTables(snapshot, deps.project.source)
  const broken = tables.flatMap(({ table, breach }) =>
    breach === undefined ? [] : [`${table.name}: ${breach.detail}`],
  )
  if (broken.length > 0) {
    throw new ContractError(`The contract is broken: ${broken.join('; ')}`, {
      code: 'SOURCE_CONTRACT',
      hint: 'mend the source, or the contract of the tables named; others go on',
    })
  }
  for (const { shape } of tables) {
    if (shape === undefined) continue
    const columns = shape.columns.map((column) => identifier(column.name)).join(', ')
    await withPostgresErrors(deps.source, () =>
      snapshot.client.query(`select ${columns} from ${shape.relation} limit 0`),
    )
  }
  return `${tables.length} tables, as the contract has them`
}

async function examineWarehouse(deps: Deps): Promise<string> {
  await using warehouse = await openWarehouse({ ...deps.warehouse, attempts: 1 })
  const found = await withPostgresErrors(deps.warehouse, () =>
    inSnapshot(warehouse, () =>
      warehouse.client.query<{ version: string; name: string; may_create: boolean }>(
        `select
          current_setting('server_version_num') as version,
          current_setting('server_version') as name,
          case
              when to_regnamespace($1) is null
                  then has_database_privilege(current_database(), 'create')
              else has_schema_privilege(to_regnamespace($1), 'create')
          end as may_create`,
        [identifier(deps.warehouse.schema)],
      ),
    ),
  )
  const row = onlyRow(found)
  if (Number(row.version) < OLDEST_WAREHOUSE) {
    throw new TidemarkError(`Postgres ${row.name} is too old for the warehouse`, {
      code: 'WAREHOUSE_VERSION',
      hint: 'use Postgres 14 or newer',
    })
  }
  if (!row.may_create) {
    throw new TidemarkError(`The user may not create tables in schema ${deps.warehouse.schema}`, {
      code: 'WAREHOUSE_PERMISSION',
      hint: 'grant create on the schema to the user in TIDEMARK_WAREHOUSE_URL',
    })
  }
  return `${hostOf(deps.warehouse.url)}, Postgres ${row.name}, schema ${deps.warehouse.schema}`
}

async function examineFeeds({ project, feeds }: Deps): Promise<Finding[]> {
  const { drop, servers = [] } = feeds ?? {}
  const findings: Finding[] = []
  if (drop !== undefined) {
    findings.push(await check('what others drop can be read', () => examineDrop(drop, project)))
  }
  for (const server of servers) {
    findings.push(await check(`${placeOf(server.url)} answers`, () => examineServer(server)))
  }
  return findings
}

async function examineDrop(drop: Drop, { source }: Project): Promise<string> {
  let files = 0
  for (const { name } of source.feeds ?? []) {
    for await (const file of drop.list(name)) if (formatOf(file.name) !== undefined) files += 1
  }
  return `${drop.location}, ${files} ${files === 1 ? 'file' : 'files'}`
}

async function examineServer({ url, format }: FeedServer): Promise<string> {
  const answer = await ask(url, { attempts: 1 })
  const text = answer?.body.toString('utf8') ?? ''
  const parsed = format.parse.safeParse({ text, fetchedAt: new Date().toISOString() })
  if (parsed.success) return `${parsed.data.length} rows of ${format.feed}`
  throw new ContractError(`It answers something else than rows of ${format.feed}`, {
    code: 'FEED_FORMAT',
    hint: 'check TIDEMARK_RATES_URL and TIDEMARK_RATES_FORMAT',
  })
}

async function examineZone(store: ObjectStore): Promise<string> {
  const today = new Date().toISOString().slice(0, 10)
  await store.putIfAbsent(`doctor/${today}.txt`, Buffer.from('written by tidemark doctor\n'))
  return store.location
}
