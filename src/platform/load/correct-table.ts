import { type Client, onlyRow } from '../io/postgres.ts'
import { asciiLiteral } from '../io/session.ts'
import { identifier, identifiers } from '../io/sql.ts'
import { type Difference, type DifferentKey, MAX_KEYS } from '../lake/difference.ts'
import { checkCount } from './table-load.ts'

/** A table, and the rows that it must hold. */
export interface CorrectedTable {
  readonly table: string
  /** Identifies a row, in the table and among the expected rows. */
  readonly key: readonly string[]
  /** Columns that also name a row for people. */
  readonly told?: readonly string[]
  /** The columns to compare and to correct, without those of the key. Others stay as they are. */
  readonly values: readonly string[]
  /** SQL of the expected rows, which may follow `from`. */
  readonly expected: string
  /**
   * Whether values are compared as numbers are, not by their text: 1.5 and 1.50 are equal sums.
   */
  readonly byValue?: boolean
}

/** What was corrected in a table, as its rows differed before, and what remains to be removed. */
export interface TableCorrection {
  readonly difference: Difference
  /** Removes the extra rows that fit a condition over the alias `t`, and returns their number. */
  readonly removeExtra: (condition?: string) => Promise<number>
  /** Ends the correction. Call it last. */
  readonly end: () => Promise<void>
}

/**
 * Makes the rows of a table equal to the expected ones, inside the open transaction: changes rows that
 * differ, inserts missing rows, and leaves the removal of extra rows to the caller. Throws
 * `ContractError` (`LOAD_INCOMPLETE`) if the table does not take a correction.
 */
export async function correctTable(
  client: Client,
  corrected: CorrectedTable,
): Promise<TableCorrection> {
  const { table, key, values, expected } = corrected
  const target = identifier(table)
  const found = identifier(`difference ${table}`)
  // Not a temporary table, because the loader may lack the right to create one.
  await client.query(`create unlogged table ${found} as ${selectDifference(corrected)}`)
  const difference = await readDifference(client, { ...corrected, found })
  const sameKey = (a: string, b: string) =>
    key.map((name) => `${a}.${identifier(name)} = ${b}.${identifier(name)}`).join(' and ')
  const those = (kind: DifferentKey['kind'], alias: string) =>
    `exists (select 1 from ${found} as d where d."is what" = '${kind}' and ${sameKey('d', alias)})`
  const change = async (rows: number, statement: string): Promise<void> => {
    if (rows === 0) return
    const done = await client.query(statement)
    checkCount(table, { expected: rows, rows: done.rowCount ?? 0 })
  }
  const set = values.map((name) => `${identifier(name)} = e.${identifier(name)}`).join(', ')
  await change(
    difference.different,
    `update ${target} as t set ${set} from ${expected} as e
     where ${sameKey('t', 'e')} and ${those('different', 't')}`,
  )
  const columns = identifiers([...key, ...values])
  await change(
    difference.missing,
    `insert into ${target} (${columns})
     select ${columns} from ${expected} as e where ${those('missing', 'e')}`,
  )
  return {
    difference,
    async removeExtra(condition = 'true') {
      if (difference.extra === 0) return 0
      const done = await client.query(
        `delete from ${target} as t where ${those('extra', 't')} and ${condition}`,
      )
      return done.rowCount ?? 0
    },
    async end() {
      await client.query(`drop table ${found}`)
    },
  }
}

/** Like `correctTable`, and removes every extra row. Returns how the rows differed before. */
export async function makeEqual(client: Client, corrected: CorrectedTable): Promise<Difference> {
  const { difference, removeExtra, end } = await correctTable(client, corrected)
  checkCount(corrected.table, { expected: difference.extra, rows: await removeExtra() })
  await end()
  return difference
}

/** Select of the keys of the rows that differ, each with its kind and the columns that differ. */
function selectDifference({
  table,
  key,
  told = [],
  values,
  expected,
  byValue = false,
}: CorrectedTable): string {
  const of = (alias: string, name: string) => `${alias}.${identifier(name)}`
  const text = (alias: string, name: string) =>
    byValue ? of(alias, name) : `${of(alias, name)}::text`
  const row = (alias: string) => {
    const list = `row(${values.map((name) => of(alias, name)).join(', ')})`
    return byValue ? list : `${list}::text`
  }
  const columns = values.map(
    (name) =>
      `case when ${text('e', name)} is distinct from ${text('t', name)} then ${asciiLiteral(name)} end`,
  )
  const named = told
    .filter((name) => !key.includes(name))
    .map((name) => `coalesce(${of('e', name)}, ${of('t', name)}) as ${identifier(name)}`)
  const isDifferent = values.length === 0 ? 'false' : `${row('e')} is distinct from ${row('t')}`
  return `
    select
        ${[...key.map(identifier), ...named].join(', ')},
        case
            when t."is there" is null then 'missing'
            when e."is there" is null then 'extra'
            else 'different'
        end as "is what",
        array_remove(array[${columns.join(', ')}]::text[], null) as "which columns"
    from (select true as "is there", e.* from ${expected} as e) as e
    full join (select true as "is there", t.* from ${identifier(table)} as t) as t
        using (${identifiers(key)})
    where e."is there" is null or t."is there" is null or ${isDifferent}`
}

async function readDifference(
  client: Client,
  { key, told = [], found }: CorrectedTable & { readonly found: string },
): Promise<Difference> {
  const counted = await client.query<Record<DifferentKey['kind'], string>>(`
    select
        (count(*) filter (where "is what" = 'missing'))::text as missing,
        (count(*) filter (where "is what" = 'extra'))::text as extra,
        (count(*) filter (where "is what" = 'different'))::text as different
    from ${found}`)
  const { missing, extra, different } = onlyRow(counted)
  const named = [...new Set([...key, ...told])].map(
    (name) => `${asciiLiteral(`${name}=`)} || ${identifier(name)}::text`,
  )
  const { rows } = await client.query<DifferentKey>(`
    select
        "is what" as kind,
        concat_ws(' ', ${named.join(', ')}) as key,
        case when "is what" = 'different' then "which columns" else '{}' end as columns
    from ${found}
    order by ${identifiers(key)}
    limit ${MAX_KEYS}`)
  return {
    missing: Number(missing),
    extra: Number(extra),
    different: Number(different),
    keys: rows,
  }
}
