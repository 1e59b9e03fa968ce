import type { Deps } from './deps.ts'
import { check, type Finding } from './finding.ts'
import { hostOf, onlyRow, withPostgresErrors } from './postgres.ts'
import type { SourceContract } from './project.ts'
import type { Breach } from './source/contract.ts'
import { openSnapshot, type SourceSnapshot } from './source/snapshot.ts'
import { readTables, type SourceState } from './source/tables.ts'
import { identifier, identifiers, qualified } from './sql.ts'

/**
 * Whether the source answers with the settings of a run, and whether its tables can be read; then a
 * finding for each table that breaks its contract.
 */
export async function examineSource(deps: Deps): Promise<Finding[]> {
  const title = `${deps.source.title} answers`
  let snapshot: SourceSnapshot
  try {
    snapshot = await openSnapshot({ ...deps.source, attempts: 1 })
  } catch (error) {
    return [await check(title, () => Promise.reject(error))]
  }
  await using open = snapshot
  // Asked first: after a failed read the transaction answers nothing more.
  const user = await readUser(open)
  const { standby, systemId } = open.identity
  const known = systemId === '' ? ', cannot tell restores apart' : ''
  const detail = `${hostOf(deps.source.url)}${standby ? ', a standby' : ''}${known}`
  const answers: Finding = {
    what: title,
    ok: true,
    detail,
    ...(systemId === ''
      ? {
          hint: `grant execute on function pg_control_system(), pg_control_checkpoint() to ${identifier(user)};`,
        }
      : {}),
  }
  return [answers, ...(await examineTables(deps, { snapshot: open, user }))]
}

async function examineTables(
  deps: Deps,
  { snapshot, user }: { snapshot: SourceSnapshot; user: string },
): Promise<Finding[]> {
  const what = 'its tables can be read'
  let states: SourceState[] = []
  const all = await check(what, async () => {
    states = await readTables(snapshot, deps.project.source)
    for (const { shape, breach } of states) {
      if (shape === undefined || breach !== undefined) continue
      const columns = identifiers(shape.columns.map(({ name }) => name))
      await withPostgresErrors(deps.source, () =>
        snapshot.client.query(`select ${columns} from ${shape.relation} limit 0`),
      )
    }
    const broken = states.filter(({ breach }) => breach !== undefined).length
    return `${states.length - broken} of ${states.length} tables keep their contract`
  })
  return [
    all,
    ...states.flatMap((state): Finding[] => {
      const { table, breach } = state
      if (breach === undefined) return []
      const hint = fixBreach(state, { user, contract: deps.project.source })
      return [{ what: `table ${table.name}`, ok: false, detail: breach.detail, hint }]
    }),
  ]
}

async function readUser(snapshot: SourceSnapshot): Promise<string> {
  const found = await snapshot.client.query<{ user: string }>('select current_user as "user"')
  return onlyRow(found).user
}

/** The statement or edit that makes a table keep its contract. */
function fixBreach(
  { table, breach }: SourceState,
  { user, contract }: { user: string; contract: SourceContract },
): string {
  const schema = table.schema ?? contract.schema
  const relation = qualified(schema, table.relation ?? table.name)
  const role = identifier(user)
  const fixes: Partial<Record<Breach['reason'], string>> = {
    permission: `grant usage on schema ${identifier(schema)} to ${role}; grant select on ${relation} to ${role};`,
    key_lost:
      `alter table ${relation} add primary key (${identifiers(table.key)}); ` +
      'or, if the source is sure of it, set keyIsUnenforced: true for the table in the contract',
    locked: 'nothing to do: the next run reads the table once the lock is released',
    table_missing: `create ${relation}, or remove ${table.name} from the contract; all other tables go on`,
  }
  return (
    (breach && fixes[breach.reason]) ??
    `change ${relation} back to what the contract of ${table.name} says, or change the contract; all other tables go on`
  )
}
