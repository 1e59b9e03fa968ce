import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { ConfigError } from '../errors.ts'
import { type Client, withPostgresErrors } from '../postgres.ts'
import { type Fact, indexName, type Project } from '../project.ts'
import { identifier, identifiers } from '../sql.ts'
import { inLockedTransaction, inTransaction, type WarehouseClient } from './warehouse.ts'

const PLATFORM_MIGRATIONS = new URL('./migrations/', import.meta.url)
const HISTORY = readFileSync(new URL('./history.sql', import.meta.url), 'utf8')
const HISTORY_COLUMNS = `
  add column if not exists record_operation text not null
      check (record_operation in ('insert', 'update', 'delete')),
  add column if not exists recorded_at timestamptz not null,
  add column if not exists batch_id bigint not null`

/** Columns that `history.sql` adds to a fact's own. */
export const HISTORY_VIEW_COLUMNS: ReadonlySet<string> = new Set([
  'version',
  'valid_from',
  'valid_to',
  'is_current',
])

interface Step {
  readonly name: string
  readonly sql: string
}

/**
 * Brings the warehouse's schema up to date: the platform's tables, the domain's numbered
 * migrations, then the history of each fact and the indexes of its current table. May be repeated; does nothing when nothing is new. A
 * warehouse prepared with the standard tables is adopted, if its facts are empty.
 * Throws `ConfigError` when a migration that was applied has been edited since, or is unknown here.
 */
export async function migrate(
  warehouse: WarehouseClient,
  project: Project,
  { waitMs }: { waitMs: number },
): Promise<void> {
  const { client } = warehouse
  const steps = [
    ...readSteps('platform', PLATFORM_MIGRATIONS),
    ...readSteps(project.name, project.warehouse.migrations),
  ]
  await withPostgresErrors(warehouse.warehouse, async () => {
    const isWhole = await inTransaction(
      warehouse,
      async () =>
        (await isUpToDate(client, steps)) &&
        !(await isReaderNew(warehouse)) &&
        (await isIndexed(client, project)),
    )
    if (isWhole) return
    await inLockedTransaction(warehouse, waitMs, async () => {
      await client.query(`
        create table if not exists tidemark_migration (
            name text primary key,
            checksum text not null,
            applied_at timestamptz not null default clock_timestamp()
        )`)
      const applied = await readApplied(client)
      for (const step of steps) {
        if (applied.has(step.name)) continue
        await client.query(step.sql)
        await client.query('insert into tidemark_migration (name, checksum) values ($1, $2)', [
          step.name,
          checksum(step.sql),
        ])
      }
      for (const model of project.models) {
        if (model.kind === 'fact') await makeHistory(client, model)
      }
      await grantReading(warehouse, project)
    })
  })
}

function readSteps(owner: string, folder: URL): Step[] {
  return readdirSync(folder)
    .filter((file) => /^\d{3}_\w+\.sql$/.test(file))
    .toSorted()
    .map((file) => ({
      name: `${owner}/${file}`,
      sql: readFileSync(new URL(file, folder), 'utf8'),
    }))
}

function checksum(sql: string): string {
  return createHash('sha256').update(sql).digest('hex')
}

async function isUpToDate(client: Client, steps: readonly Step[]): Promise<boolean> {
  const { rows } = await client.query<{ there: boolean }>(
    `select to_regclass('tidemark_migration') is not null as there`,
  )
  if (rows[0]?.there !== true) return false
  const applied = await readApplied(client)
  for (const step of steps) {
    const before = applied.get(step.name)
    if (before !== undefined && before !== checksum(step.sql)) {
      throw new ConfigError(`Migration ${step.name} was edited after it had been applied`, {
        code: 'MIGRATION_EDITED',
        hint: 'put it back as it was and add a new numbered migration instead',
      })
    }
  }
  const known = new Set(steps.map((step) => step.name))
  const unknown = [...applied.keys()].find((name) => !known.has(name))
  if (unknown !== undefined) {
    throw new ConfigError(
      `The warehouse has migration ${unknown}, which this version does not know`,
      {
        code: 'WAREHOUSE_NEWER',
        hint: 'update Tidemark; nothing was changed',
      },
    )
  }
  return steps.every((step) => applied.has(step.name))
}

/** Whether the reader role was made after the schema: it cannot read the status yet. */
async function isReaderNew({ client, warehouse }: WarehouseClient): Promise<boolean> {
  const { rowCount } = await client.query(
    `select 1 from pg_roles
     where rolname = $1 and not has_table_privilege(oid, 'tidemark_status', 'select')`,
    [warehouse.readerRole],
  )
  return rowCount === 1
}

interface CurrentIndex {
  readonly name: string
  readonly column: string
}

/** The indexes of a fact's current table beside its key. */
function indexesOf({ table, sought = [] }: Fact): CurrentIndex[] {
  return sought.map((column) => ({ name: indexName(table, column), column }))
}

/** Whether every fact has its indexes: a project may ask for more without a migration of its own. */
async function isIndexed(client: Client, { models }: Project): Promise<boolean> {
  const names = models.flatMap((model) => (model.kind === 'fact' ? indexesOf(model) : []))
  const { rowCount } = await client.query(
    'select 1 from unnest($1::text[]) as name where to_regclass(name) is null',
    [names.map(({ name }) => identifier(name))],
  )
  return rowCount === 0
}

async function readApplied(client: Client): Promise<Map<string, string>> {
  const { rows } = await client.query<{ name: string; checksum: string }>(
    'select name, checksum from tidemark_migration',
  )
  return new Map(rows.map((row) => [row.name, row.checksum]))
}

async function makeHistory(client: Client, fact: Fact): Promise<void> {
  const table = identifier(fact.table)
  const { rows: found } = await client.query<{ foreign: boolean }>(`
    select exists (select 1 from ${table}) and not exists (select 1 from tidemark_ledger) as foreign`)
  if (found[0]?.foreign === true) {
    throw new ConfigError(
      `The warehouse table ${fact.table} holds rows that Tidemark did not load`,
      {
        code: 'WAREHOUSE_NOT_EMPTY',
        hint: 'empty it, or set TIDEMARK_WAREHOUSE_SCHEMA to another schema',
      },
    )
  }
  await client.query(`alter table ${table} ${HISTORY_COLUMNS}`)
  const columns = await readColumns(client, table)
  const taken = columns.find(({ name }) => HISTORY_VIEW_COLUMNS.has(name))
  if (taken !== undefined) {
    throw new ConfigError(`${fact.table} has a column ${taken.name}, a name its history needs`, {
      code: 'WAREHOUSE_COLUMN_NAME',
      hint: 'give the column another name in the migration and in the model',
    })
  }
  const current = identifier(`${fact.table}_current`)
  const history = identifier(`${fact.table}_history`)
  const names: Record<string, string> = {
    fact: table,
    columns: identifiers(columns.map(({ name }) => name)),
    key: identifiers(fact.key),
    record_id: identifier(fact.recordId),
    key_index: identifier(`${fact.table}_key_idx`),
    current,
    history,
    as_of: identifier(`${fact.table}_as_of`),
    as_of_batch: identifier(`${fact.table}_as_of_batch`),
  }
  await dropOutdatedView(client, history, columns)
  await client.query(HISTORY.replaceAll(/\{(\w+)\}/g, (_, name: string) => names[name] ?? ''))
  // The columns that a later migration gave the fact.
  const present = new Set((await readColumns(client, current)).map(({ name }) => name))
  for (const { name, type } of columns) {
    if (present.has(name)) continue
    await client.query(`alter table ${current} add column ${identifier(name)} ${type}`)
  }
  for (const { name, column } of indexesOf(fact)) {
    await client.query(
      `create index if not exists ${identifier(name)} on ${current} (${identifier(column)})`,
    )
  }
}

interface Column {
  readonly name: string
  readonly type: string
}

/** Columns of a relation given as quoted, in order; none when there is no such relation. */
async function readColumns(client: Client, relation: string): Promise<Column[]> {
  const { rows } = await client.query<Column>(
    `select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
     where attrelid = to_regclass($1) and attnum > 0 and not attisdropped
     order by attnum`,
    [relation],
  )
  return rows
}

/** A view can be replaced only by one that begins with the same columns. */
async function dropOutdatedView(
  client: Client,
  view: string,
  columns: readonly Column[],
): Promise<void> {
  const present = (await readColumns(client, view)).map(({ name }) => name)
  if (present.length === 0) return
  const isOutdated = columns.some(({ name }, index) => present[index] !== name)
  if (isOutdated) await client.query(`drop view ${view}`)
}

/** The reader sees the stars, their history and the status, and nothing of the platform's own. */
async function grantReading(
  { client, warehouse: { schema, readerRole } }: WarehouseClient,
  project: Project,
): Promise<void> {
  if (readerRole === undefined) return
  const { rowCount } = await client.query('select 1 from pg_roles where rolname = $1', [readerRole])
  if (rowCount === 0) return
  const role = identifier(readerRole)
  const facts = project.models.filter((model) => model.kind === 'fact').map(({ table }) => table)
  const relations = [
    ...project.models.map(({ table }) => table),
    ...facts.flatMap((table) => [`${table}_current`, `${table}_history`]),
    'tidemark_status',
    'tidemark_batches',
  ]
  // With the domain's own views of them. A shared schema may hold other people's tables.
  const { rows } = await client.query<{ relation: string }>(
    `with recursive granted (name) as (
         select unnest($2::text[]) collate "C"
         union
         select u.view_name::text
         from granted as g
         inner join information_schema.view_table_usage as u
             on u.table_schema = $1 and u.table_name = g.name and u.view_schema = $1
     )
     select name as relation from granted order by name`,
    [schema, relations],
  )
  await client.query(`
    grant usage on schema ${identifier(schema)} to ${role};
    grant select on ${identifiers(rows.map(({ relation }) => relation))} to ${role};
    ${facts
      .map(
        (table) => `
    grant execute on function ${identifier(`${table}_as_of`)} (timestamptz) to ${role};
    grant execute on function ${identifier(`${table}_as_of_batch`)} (bigint) to ${role};`,
      )
      .join('')}`)
}
