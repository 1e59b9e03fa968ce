import { type Deps, ingestionZone } from '../deps.ts'
import { ConfigError } from '../errors.ts'
import { discoverTables } from '../extract/discover-tables.ts'
import { breachOf } from '../extract/hold-table.ts'
import { withPostgresErrors } from '../io/postgres-errors.ts'
import { hostOf } from '../io/postgres-url.ts'
import { onlyRow } from '../io/postgres.ts'
import { identifier, identifiers, qualified } from '../io/sql.ts'
import { readLastCommit } from '../lake/batch-log.ts'
import { patternOf } from '../project/patterns.ts'
import type { SourceContract } from '../project/source-contract.ts'
import type { Breach } from '../source/contract.ts'
import { attemptRead } from '../source/snapshot.ts'
import { openSource, type PostgresSource } from '../source/source-snapshot.ts'
import type { SourceState } from '../source/tables.ts'
import { check, type Finding, type Fix, type Found, lookAtDatabase } from './finding.ts'

/**
 * Checks whether the source answers with a run's settings and whether its tables can be read. Then
 * gives a finding for each table that breaks its contract. Read-only.
 */
export async function examineSource(deps: Deps): Promise<Finding[]> {
  const what = `${deps.source.title} answers`
  let opened: { readonly snapshot: PostgresSource; readonly user: string } | undefined
  const open = async (): Promise<Found> => {
    const snapshot = await openSource({ ...deps.source, attempts: 1 })
    try {
      const user = await withPostgresErrors(deps.source, () => readUser(snapshot))
      opened = { snapshot, user }
    } finally {
      if (opened === undefined) await snapshot[Symbol.asyncDispose]()
    }
    return describeServer(deps, opened)
  }
  const answers = await check(what, open, { next: lookAtDatabase('TIDEMARK_SOURCE_URL') })
  if (opened === undefined) return [answers]
  await using snapshot = opened.snapshot
  const { user } = opened
  return [answers, ...(await examineTables(deps, { snapshot, user }))]
}

/** The address of the source, and the rights that this user lacks. */
function describeServer(
  { source }: Deps,
  { snapshot, user }: { snapshot: PostgresSource; user: string },
): Omit<Finding, 'what' | 'ok'> {
  const { standby, systemId } = snapshot.identity
  const detail = `${hostOf(source.url)}${standby ? ', a standby' : ''}`
  if (systemId !== '') return { detail }
  return {
    detail: `${detail}, cannot tell restores apart`,
    hint: `grant execute on function pg_control_system(), pg_control_checkpoint() to ${identifier(user)};`,
  }
}

/** Reads every table as a run does. A table that breaks its contract gives a finding of its own. */
async function examineTables(
  deps: Deps,
  { snapshot, user }: { snapshot: PostgresSource; user: string },
): Promise<Finding[]> {
  const what = 'its tables can be read'
  let states: SourceState[] = []
  let { source: contract } = deps.project
  const work = async (): Promise<string> => {
    const { mirror } = deps.project
    if (mirror !== undefined) {
      const last = await readLastCommit(ingestionZone(deps))
      const found = await discoverTables(deps, snapshot, { settings: mirror, last })
      contract = found.project.source
    }
    states = await snapshot.readTables(contract)
    for (const [index, state] of states.entries()) states[index] = await readRows(snapshot, state)
    const breached = states.filter(({ breach }) => breach !== undefined).length
    return `${states.length - breached} of ${states.length} tables keep their contract`
  }
  const all = await check(what, work, {
    next: lookAtDatabase('TIDEMARK_SOURCE_URL'),
    fix: (error) => fixForbidden(error, { user, contract }),
  })
  return [
    all,
    ...states.flatMap((state): Finding[] => {
      const { table, breach } = state
      if (breach === undefined) return []
      const fix = fixBreach(state, { user, contract })
      return [{ what: `table ${table.name}`, ok: false, detail: breach.detail, ...fix }]
    }),
  ]
}

/**
 * A table's state after it was read as a run reads it: the rows are counted if they have
 * transaction ids; otherwise every value is computed. A table that the server cannot read has a
 * breach.
 */
async function readRows(snapshot: PostgresSource, state: SourceState): Promise<SourceState> {
  const { shape, breach } = state
  if (shape === undefined || breach !== undefined) return state
  const { relation, columns, hasXmin } = shape
  const values = identifiers(columns.map(({ name }) => name))
  try {
    await attemptRead(snapshot, shape, (client) =>
      client.query(
        hasXmin
          ? `select count(*) from ${relation} as t`
          : `select count(t) from (select ${values} from ${relation} as r offset 0) as t`,
      ),
    )
    return state
  } catch (error) {
    const found = breachOf(error)
    if (found === undefined) throw error
    return { ...state, breach: found }
  }
}

async function readUser(snapshot: PostgresSource): Promise<string> {
  const found = await snapshot.client.query<{ user: string }>('select current_user as "user"')
  return onlyRow(found).user
}

/** The statements that let a user read who may read nothing so far. */
function fixForbidden(
  error: unknown,
  { user, contract }: { user: string; contract: SourceContract },
): string | undefined {
  if (!(error instanceof ConfigError) || error.code !== 'SOURCE_FORBIDDEN') return undefined
  const role = identifier(user)
  const schemas = new Set(contract.tables.map(({ schema }) => schema ?? contract.schema))
  return [...schemas]
    .map(
      (schema) =>
        `grant usage on schema ${identifier(schema)} to ${role}; ` +
        `grant select on all tables in schema ${identifier(schema)} to ${role};`,
    )
    .join(' ')
}

/** The statement or edit after which a table keeps its contract again. */
function fixBreach(
  { table, breach }: SourceState,
  { user, contract }: { user: string; contract: SourceContract },
): Fix {
  const schema = table.schema ?? contract.schema
  const relation = qualified(schema, table.relation ?? table.name)
  const role = identifier(user)
  const fixes: Partial<Record<Breach['reason'], Fix>> = {
    permission: {
      hint: `grant usage on schema ${identifier(schema)} to ${role}; grant select on ${relation} to ${role};`,
    },
    key_lost: {
      hint: `alter table ${relation} add primary key (${identifiers(table.key)});`,
      note: 'or, if the source guarantees unique keys without it, set keyIsUnenforced: true for the table in the contract',
    },
    column_name: { hint: `rename the column in ${relation}, or exclude it` },
    key_changed: {
      hint: `give ${relation} its former key again, or give it another name in mirror.tables`,
      note: 'under another name it is captured anew, and the former versions stay as they are',
    },
    locked: { hint: 'nothing to do: the next run reads the table once the lock is released' },
    not_on_standby: {
      hint: `alter table ${relation} set logged;`,
      note: 'on the primary; or set TIDEMARK_SOURCE_URL to the primary; all other tables go on',
    },
    unreadable: {
      hint: `select * from ${relation};`,
      note: `psql says what is wrong, and \\encoding sql_ascii before \\d ${relation} shows a name that is not UTF-8; all other tables go on`,
    },
    table_missing: {
      hint:
        table.mirrored === true
          ? `make ${relation} again, or leave it out: TIDEMARK_EXCLUDE=${patternOf(schema, table.relation ?? table.name)}; all other tables go on`
          : `make ${relation}, or remove ${table.name} from the contract; all other tables go on`,
    },
  }
  return (
    (breach && fixes[breach.reason]) ?? {
      hint: `make ${relation} fit the contract of ${table.name} again, or change the contract; all other tables go on`,
    }
  )
}
