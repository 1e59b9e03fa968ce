import { readFileSync } from 'node:fs'
import { codeOf } from '../errors.ts'
import { asciiLiteral } from '../io/session.ts'
import { identifier } from '../io/sql.ts'
import { SQL_STATE } from '../io/sql-states.ts'
import { shortName } from '../project/names.ts'
import {
  inTransaction,
  LOCK,
  makeLockTable,
  selectRows,
  WAS_MADE,
  type WarehouseClient,
} from './warehouse.ts'

const BESIDE = readFileSync(new URL('./beside.sql', import.meta.url), 'utf8')

/** What begins the comment of every schema that Tidemark makes beside a warehouse. */
const MARK = 'Tidemark makes the next content of a warehouse here: '

/** What the content of a schema beside is made from. Content for another purpose is of no use. */
export interface Purpose {
  readonly generation: string
  /** The zone it is loaded from. */
  readonly zone: string
  readonly lake: string | undefined
  /** The version of Tidemark that makes the tables. */
  readonly version: string
}

/** A schema beside the warehouse's own, in which its next content is made. */
export interface Beside {
  /** The same connection, with the schema beside as the warehouse. Readers get no rights there. */
  readonly warehouse: WarehouseClient
  readonly schema: string
  /** Identifies the schema: another one of the same name has another. */
  readonly oid: string
}

/** The name of the schema beside. It follows from the warehouse's own, so that a later call finds it. */
export function besideName(schema: string): string {
  return shortName(schema, ' next')
}

/**
 * Finds or makes the schema beside, empty except for the lock. One that was made for another purpose is
 * dropped first, and so is any with `isAfresh`. Returns why there can be none: this user may not create a
 * schema, or something that is not Tidemark's has the name. May be repeated, also at the same time.
 */
export async function prepareBeside(
  connection: WarehouseClient,
  purpose: Purpose,
  { waitMs, isAfresh = false }: { waitMs: number; isAfresh?: boolean },
): Promise<Beside | { readonly refused: string }> {
  const schema = besideName(connection.warehouse.schema)
  const comment = `${MARK}${JSON.stringify(purpose)}`
  const make = async (): Promise<string | undefined> =>
    await inTransaction(connection, async () => {
      const { client } = connection
      const found = await findBeside(connection)
      if (found !== undefined && !isOurs(found)) return undefined
      if (found?.comment === comment && !isAfresh) return found.oid
      await client.query(`
        set local lock_timeout = ${Math.max(1, Math.round(waitMs))};
        drop schema if exists ${identifier(schema)} cascade;
        create schema ${identifier(schema)};
        comment on schema ${identifier(schema)} is ${asciiLiteral(comment)};
        set local search_path = ${identifier(schema)}`)
      await makeLockTable(connection)
      return (await findBeside(connection))?.oid
    })
  try {
    const oid = await make().catch(async (error: unknown) => {
      // Another call has made it at this moment.
      if (!WAS_MADE.has(codeOf(error))) throw error
      return await make()
    })
    if (oid === undefined) return { refused: `the schema ${schema} is not Tidemark's` }
    return { warehouse: besideOf(connection, schema), schema, oid }
  } catch (error) {
    if (codeOf(error) !== SQL_STATE.insufficientPrivilege) throw error
    return { refused: `this user may not create a schema: ${(error as Error).message}` }
  }
}

function besideOf(connection: WarehouseClient, schema: string): WarehouseClient {
  const { readerRole: _, ...warehouse } = connection.warehouse
  return { ...connection, warehouse: { ...warehouse, schema } }
}

interface FoundSchema {
  readonly oid: string
  readonly comment: string | null
  readonly isBare: boolean
}

async function findBeside(connection: WarehouseClient): Promise<FoundSchema | undefined> {
  const values = { name: besideName(connection.warehouse.schema), lock: LOCK }
  const select = BESIDE.replaceAll(/\{(name|lock)\}/g, (_, key: keyof typeof values) =>
    asciiLiteral(values[key]),
  )
  return (await selectRows<FoundSchema>(connection, select))[0]
}

function isOurs({ comment, isBare }: FoundSchema): boolean {
  return comment === null ? isBare : comment.startsWith(MARK)
}

/** Whether the schema beside is still the one that was prepared. */
export async function isStillThere(connection: WarehouseClient, { oid }: Beside): Promise<boolean> {
  return (await findBeside(connection))?.oid === oid
}

/**
 * Drops the schema beside, if there is one that Tidemark made. `isWanted` says of its purpose whether it
 * stays. May be repeated.
 */
export async function removeBeside(
  connection: WarehouseClient,
  { waitMs, isWanted = () => false }: { waitMs: number; isWanted?: (purpose: Purpose) => boolean },
): Promise<void> {
  const found = await findBeside(connection)
  if (found === undefined || !isOurs(found)) return
  const { comment } = found
  if (comment !== null && isWanted(JSON.parse(comment.slice(MARK.length)) as Purpose)) return
  const schema = identifier(besideName(connection.warehouse.schema))
  await inTransaction(connection, async () => {
    await connection.client.query(`
      set local lock_timeout = ${Math.max(1, Math.round(waitMs))};
      drop schema if exists ${schema} cascade`)
  })
}
