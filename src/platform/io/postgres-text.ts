import type { Client } from './postgres.ts'

/** A result as Postgres prints it: no cell becomes a number or a date of JavaScript's. */
export interface TextRows {
  readonly columns: readonly { readonly name: string; readonly typeId: number }[]
  readonly rows: readonly (readonly (string | null)[])[]
}

/**
 * Runs one statement through the extended protocol, which refuses a second one (manual, 54.2.3),
 * with text values for `$1`, `$2` and so on. Throws what `pg` throws.
 */
export async function readText(
  client: Client,
  text: string,
  values: readonly (string | null)[] = [],
): Promise<TextRows> {
  const query = {
    text,
    values: [...values],
    rowMode: 'array' as const,
    queryMode: 'extended',
    types: { getTypeParser: () => (cell: string) => cell },
  }
  const { fields, rows } = await client.query<(string | null)[]>(query)
  return { columns: fields.map(({ name, dataTypeID }) => ({ name, typeId: dataTypeID })), rows }
}

export interface ReceivedBytes {
  /** Since the limit was set. */
  readonly sizeBytes: number
  /** The connection was cut for it. */
  readonly isExceeded: boolean
}

/**
 * Counts what the server sends from now on, and cuts the connection beyond `maxBytes`: the only way
 * to be safe of one huge row, which the driver would gather in memory whole.
 */
export function limitReceivedBytes(client: Client, maxBytes: number): ReceivedBytes {
  const { stream } = client.connection
  let sizeBytes = 0
  stream.on('data', (chunk: Buffer) => {
    sizeBytes += chunk.length
    if (sizeBytes > maxBytes) stream.destroy()
  })
  return {
    get sizeBytes() {
      return sizeBytes
    },
    get isExceeded() {
      return sizeBytes > maxBytes
    },
  }
}
