import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { codeOf, ConfigError } from '../errors.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { type Client, onlyRow } from '../io/postgres.ts'
import { NO_TIME_LIMITS } from '../io/session.ts'
import { SQL_STATE } from '../io/sql-states.ts'
import { currentTable } from '../project/fact-names.ts'
import { isOtherModels } from '../project/generation.ts'
import type { Project } from '../project/project.ts'
import { presentModels } from './derive-tables.ts'
import { handOver, listDerived, runMigration } from './hand-over.ts'
import { readLoaded } from './ledger.ts'
import { makeHistory, makeIndexes } from './make-history.ts'
import { makeSums } from './make-sums.ts'
import {
  checkRelations,
  findMissing,
  forgetDropped,
  grantReading,
  isServed,
  listRelations,
} from './relations.ts'
import { checkFilled } from './unfilled-columns.ts'
import { inLockedTransaction, selectRows, type WarehouseClient } from './warehouse.ts'

const PLATFORM_MIGRATIONS = new URL('./migrations/', import.meta.url)
const STATUS = readFileSync(new URL('./status.sql', import.meta.url), 'utf8')

/** A numbered migration, named `<owner>/<file>`. */
interface Migration {
  readonly name: string
  readonly sql: string
}

/**
 * Brings the warehouse's schema up to date: the platform's tables, the domain's numbered
 * migrations, then the history of each fact. May be repeated, and does nothing if nothing is new.
 * Adopts a warehouse that was prepared with the standard tables if its facts are empty.
 *
 * Relations that were dropped since, and can be made from the rest, are made again, current tables
 * with their rows. Returns their names. Throws `ConfigError`, and changes nothing, if the server is
 * too old (`WAREHOUSE_VERSION`), if a migration was edited after it was applied
 * (`MIGRATION_EDITED`), makes a table that is derived here (`MIGRATION_OF_DERIVED`) or is unknown here
 * (`WAREHOUSE_NEWER`), or if anything else was dropped (`WAREHOUSE_INCOMPLETE`). Throws `ContractError` (`WAREHOUSE_CHANGED`) if somebody has added a
 * column that must have a value.
 */
export async function migrate(
  warehouse: WarehouseClient,
  project: Project,
  { waitMs }: { waitMs: number },
): Promise<readonly string[]> {
  return await withPostgresErrors(warehouse.warehouse, async () => {
    if (await isFoundWhole(warehouse, project)) return []
    return await inLockedTransaction(warehouse, waitMs, () => applyMigrations(warehouse, project))
  })
}

/**
 * Whether the warehouse is complete, with nothing to migrate or restore. Read-only. Throws
 * `ConfigError` for a migration that was edited after it was applied, or that is unknown here.
 */
export async function isWhole(warehouse: WarehouseClient, project: Project): Promise<boolean> {
  const found = await selectRows<{ there: boolean }>(
    warehouse,
    `select
         to_regclass('tidemark_migration') is not null
         and to_regclass('tidemark_relation') is not null as there`,
    NO_TIME_LIMITS,
  )
  return onlyRow({ rows: found }).there && (await isCurrent(warehouse, project))
}

/**
 * Like `isWhole`, in one round trip. Call it outside of a transaction, because it runs into an error
 * if the warehouse has none of Tidemark's tables.
 */
async function isFoundWhole(warehouse: WarehouseClient, project: Project): Promise<boolean> {
  try {
    return await isCurrent(warehouse, project)
  } catch (error) {
    if (codeOf(error) === SQL_STATE.undefinedTable) return false
    throw error
  }
}

/** Like `isWhole`, for a warehouse that has Tidemark's tables. */
async function isCurrent(warehouse: WarehouseClient, project: Project): Promise<boolean> {
  const rows = await selectRows<{ name: string; checksum: string; served: boolean }>(
    warehouse,
    `select name, checksum, ${isServed(warehouse.warehouse, project)} as served
     from tidemark_migration`,
    NO_TIME_LIMITS,
  )
  const applied = new Map(rows.map((row) => [row.name, row.checksum]))
  const migrations = checkMigrations(project, applied)
  return migrations.every(({ name }) => applied.has(name)) && rows[0]?.served === true
}

/**
 * Like `migrate`, in the transaction that is open. The caller checks first whether there is
 * anything to do.
 */
export async function applyMigrations(
  warehouse: WarehouseClient,
  project: Project,
): Promise<readonly string[]> {
  const { client } = warehouse
  await checkVersion(client)
  await client.query(`
    create table if not exists tidemark_migration (
        name text primary key,
        checksum text not null,
        applied_at timestamptz not null default clock_timestamp()
    )`)
  const applied = await readApplied(client)
  const lost = await findMissing(client)
  const migrations = migrationsOf(project).filter(({ name }) => !applied.has(name))
  const derived = await listDerived(client)
  for (const migration of migrations) {
    await runMigration(client, migration, derived)
    await client.query('insert into tidemark_migration (name, checksum) values ($1, $2)', [
      migration.name,
      checksum(migration.sql),
    ])
  }
  await forgetDropped(client, lost)
  await handOver(client, derived)
  await client.query(STATUS)
  const restored = [...lost]
  const generation = (await readLoaded(warehouse))?.generation
  const isReplaced = generation !== undefined && isOtherModels(generation, project)
  // A table that is derived from its model is made by the load that brings its schema.
  const models = await presentModels(client, project)
  for (const model of models) {
    if (model.kind !== 'fact') {
      await makeIndexes(client, model)
      continue
    }
    const wasIncomplete = await makeHistory(client, model)
    await makeSums(client, model, { isReplaced })
    // If no migration gave the fact a new column, the current table has lost one.
    if (wasIncomplete && migrations.length === 0) restored.push(currentTable(model))
  }
  const facts = models.filter((model) => model.kind === 'fact')
  await checkFilled(client, facts, warehouse.warehouse)
  await listRelations(warehouse, { ...project, models })
  await checkRelations(client)
  await grantReading(warehouse, { models })
  return restored
}

/**
 * The oldest supported server. The as-of functions have SQL-standard bodies, which are new in it.
 */
const OLDEST = 140_000

/** Throws `ConfigError` (`WAREHOUSE_VERSION`) if the server is too old. */
export async function checkVersion(client: Client): Promise<void> {
  const found = await client.query<{ number: string; name: string }>(
    `select current_setting('server_version_num') as number, current_setting('server_version') as name`,
  )
  const { number, name } = onlyRow(found)
  if (Number(number) >= OLDEST) return
  throw new ConfigError(`Postgres ${name} is too old for the warehouse`, {
    code: 'WAREHOUSE_VERSION',
    hint: 'use Postgres 14 or newer',
  })
}

/**
 * The names of the migrations that the next run applies, in order. Throws what `migrate` throws for a
 * migration that was edited or is unknown. Call it in a transaction.
 */
export async function listWaiting(client: Client, project: Project): Promise<string[]> {
  const found = await client.query<{ there: boolean }>(
    `select to_regclass('tidemark_migration') is not null as there`,
  )
  const applied = onlyRow(found).there ? await readApplied(client) : new Map<string, string>()
  return checkMigrations(project, applied)
    .map(({ name }) => name)
    .filter((name) => !applied.has(name))
}

function migrationsOf(project: Project): Migration[] {
  return [
    ...readMigrations('platform', PLATFORM_MIGRATIONS),
    ...readMigrations(project.name, project.warehouse?.migrations),
  ]
}

function readMigrations(owner: string, folder: URL | undefined): Migration[] {
  if (folder === undefined) return []
  return readdirSync(folder)
    .filter((file) => /^\d{3}_\w+\.sql$/.test(file))
    .toSorted()
    .map((file) => ({
      name: `${owner}/${file}`,
      sql: readFileSync(new URL(file, folder), 'utf8'),
    }))
}

const FAR_REACHING: readonly RegExp[] = [
  /\bsearch_path\b|\bset\s+(?:local\s+|session\s+)?role\b/i,
  /\b(?:create|alter|drop)\s+(?:schema|extension|role|user|database|publication|event\s+trigger)\b/i,
  /\bdefault\s+privileges\b|\bon\s+(?:schema|database|all\s+tables)\b|\bset\s+schema\b/i,
  // A name with a schema.
  /\b(?:table|view|into|update|from|only|join|function|procedure|index|type|domain|sequence|references|exists)\s+(?:"[^"]+"|\w+)\s*\.\s*["\w]/i,
]

/**
 * The first of a project's migrations that may reach beyond the schema in which it runs. It must not
 * run again for a second schema.
 */
export function findFarReaching({ name, warehouse }: Project): string | undefined {
  return readMigrations(name, warehouse?.migrations).find(({ sql }) => reachesFar(sql))?.name
}

/**
 * Whether statements may reach beyond the schema in which they run, by their text: they name a schema, a
 * role, an extension or the search path. In doubt, they may. Pure.
 */
export function reachesFar(sql: string): boolean {
  const written = sql.replaceAll(/--.*$/gm, '').replaceAll(/\/\*[\s\S]*?\*\//g, '')
  return FAR_REACHING.some((pattern) => pattern.test(written))
}

function checksum(sql: string): string {
  return createHash('sha256').update(sql).digest('hex')
}

/**
 * The migrations of a project. Throws `ConfigError` for an applied migration that was edited since,
 * that is unknown here, or that belongs to another project.
 */
function checkMigrations(project: Project, applied: ReadonlyMap<string, string>): Migration[] {
  const migrations = migrationsOf(project)
  for (const migration of migrations) {
    const before = applied.get(migration.name)
    if (before !== undefined && before !== checksum(migration.sql)) {
      throw new ConfigError(`Migration ${migration.name} was edited after it had been applied`, {
        code: 'MIGRATION_EDITED',
        hint: 'nothing was changed; restore the file and add a new numbered migration instead',
      })
    }
  }
  const known = new Set(migrations.map((migration) => migration.name))
  const unknown = [...applied.keys()].find((name) => !known.has(name))
  checkOwner(project, applied.keys())
  if (unknown !== undefined) {
    throw new ConfigError(
      `The warehouse has migration ${unknown}, which this version does not know`,
      {
        code: 'WAREHOUSE_NEWER',
        hint: 'update Tidemark; nothing was changed',
      },
    )
  }
  return migrations
}

/** Throws `ConfigError` (`PROJECT_MIXED`) if a migration belongs to another project. */
function checkOwner(project: Project, applied: Iterable<string>): void {
  const owners = [...applied].map((name) => /^(.+)\//.exec(name)?.[1])
  const other = owners.find(
    (owner) => owner !== undefined && owner !== 'platform' && owner !== project.name,
  )
  if (other === undefined) return
  throw new ConfigError(
    `The warehouse holds the project ${other}, but this run is for the project ${project.name}`,
    {
      code: 'PROJECT_MIXED',
      hint: `nothing was changed; name the folder of ${other} with --project, or give ${project.name} a TIDEMARK_WAREHOUSE_SCHEMA and a TIDEMARK_HOME of its own`,
    },
  )
}

/**
 * Throws `ConfigError` (`PROJECT_MIXED`) if the warehouse belongs to another project. Read-only. Does
 * not throw for a warehouse that has nothing of Tidemark yet.
 */
export async function checkOwned(warehouse: WarehouseClient, project: Project): Promise<void> {
  const [found] = await selectRows<{ there: boolean }>(
    warehouse,
    `select to_regclass('tidemark_migration') is not null as there`,
  )
  if (found?.there !== true) return
  const rows = await selectRows<{ name: string }>(warehouse, 'select name from tidemark_migration')
  checkOwner(
    project,
    rows.map(({ name }) => name),
  )
}

async function readApplied(client: Client): Promise<Map<string, string>> {
  const { rows } = await client.query<{ name: string; checksum: string }>(
    'select name, checksum from tidemark_migration',
  )
  return new Map(rows.map((row) => [row.name, row.checksum]))
}
