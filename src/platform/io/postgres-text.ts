import type { Client } from './postgres.ts'

/** A result as Postgres prints it. No cell becomes a JavaScript number or date. */
export interface TextRows {
  readonly columns: readonly { readonly name: string; readonly typeId: number }[]
  readonly rows: readonly (readonly (string | null)[])[]
}

/**
 * Runs one statement with text values for `$1`, `$2` and so on. Uses the extended protocol, which
 * refuses a second statement (manual, 54.2.3). Throws what `pg` throws.
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

/** How much the server has sent. The values change while it sends. */
export interface ReceivedBytes {
  /** Bytes since the limit was set. */
  readonly sizeBytes: number
  /** Whether the limit was exceeded and the connection cut. */
  readonly isExceeded: boolean
}

/**
 * Counts what the server sends from now on, and cuts the connection after `maxBytes`. Nothing else
 * protects against one huge row, which the driver would collect in memory.
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
