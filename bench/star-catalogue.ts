import pg from 'pg'
import { identifier } from '../src/platform/io/sql.ts'
import type { Place } from './deps.ts'

/** An index or a constraint of a table, as the catalogue defines it. */
export interface Definition {
  readonly table: string
  readonly name: string
  readonly definition: string
}

/** What a filled star schema has beyond its columns. */
export interface KeysAndIndexes {
  /** Primary and unique keys. */
  readonly keys: readonly Definition[]
  readonly foreignKeys: readonly Definition[]
  readonly indexes: readonly Definition[]
}

/** Connects to a place's warehouse as its loader, with the schema in the search path. */
export async function connectTo(place: Place): Promise<pg.Client> {
  const client = new pg.Client(place.warehouseUrl)
  // If the bench is stopped, the server ends first.
  client.on('error', () => {})
  await client.connect()
  await client.query(`set search_path to ${identifier(place.schema)}`)
  return client
}

/** Every table of the star, the current ones too, in a stable order; not the platform's own. */
export async function readTables(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select relname::text as name
     from pg_class
     where relnamespace = current_schema()::regnamespace
         and relkind in ('r', 'p') and not relispartition and relname not like 'tidemark%'
     order by relname`,
  )
  return rows.map(({ name }) => name)
}

/** The keys, foreign keys and indexes of these tables. */
export async function readKeysAndIndexes(
  client: pg.Client,
  tables: readonly string[],
): Promise<KeysAndIndexes> {
  const constraints = async (types: string) => {
    const { rows } = await client.query<Definition>(
      `select c.relname::text as table, n.conname::text as name,
           pg_get_constraintdef(n.oid) as definition
       from pg_constraint as n
       join pg_class as c on c.oid = n.conrelid
       where c.relnamespace = current_schema()::regnamespace
           and c.relname = any($1) and n.contype::text = any(string_to_array($2, null))
       order by 1, 2`,
      [tables, types],
    )
    return rows
  }
  const { rows: indexes } = await client.query<Definition>(
    `select c.relname::text as table, x.relname::text as name,
         pg_get_indexdef(i.indexrelid) as definition
     from pg_index as i
     join pg_class as c on c.oid = i.indrelid
     join pg_class as x on x.oid = i.indexrelid
     where c.relnamespace = current_schema()::regnamespace and c.relname = any($1)
         and not exists (select from pg_constraint as n where n.conindid = i.indexrelid and n.contype in ('p', 'u', 'x'))
     order by 1, 2`,
    [tables],
  )
  return { keys: await constraints('pu'), foreignKeys: await constraints('f'), indexes }
}
