import { from as copyFrom } from 'pg-copy-streams'
import { pipeline } from 'stream/promises'
import { CopyRows } from './copy-rows.ts'
import { openDrainingFile, type WrittenText } from './draining-file.ts'
import type { Client } from './postgres.ts'

/** Rows in COPY's text format in a file. */
export interface CopiedFile extends WrittenText {
  /** The number of rows that Postgres says it wrote. */
  readonly rows: number
}

/**
 * Streams the rows of a select into a file in COPY's text format, each line beginning with a tab.
 * The tab ends an empty first column. Without it, a byte order mark in the first value would count
 * as the file's, and a lone empty value would count as no line. It is put there on the way, because
 * a column in the select costs the server 8 %. Throws `ConfigError` if the file cannot be written;
 * the connection stays usable. Throws what `pg` throws.
 */
export async function copyToFile(
  client: Client,
  select: string,
  path: string,
): Promise<CopiedFile> {
  return await copyStatementToFile(client, `copy (${select}) to stdout`, { path, lead: '\t' })
}

/**
 * Like `copyToFile`, for a whole `copy … to stdout` statement, and with `lead` before each line.
 */
export async function copyStatementToFile(
  client: Client,
  statement: string,
  { path, lead = '' }: { path: string; lead?: string },
): Promise<CopiedFile> {
  await using file = await openDrainingFile(path)
  const stream = client.query(new CopyRows(statement, { lead }))
  await pipeline(stream, file.sink)
  if (stream.sent === undefined) throw new TypeError('a COPY ended without its number of rows')
  return { ...file.check(), rows: stream.sent }
}

/**
 * Streams rows in one of COPY's formats into `target`, a table with its columns. Returns the number
 * of rows stored. If `pieces` throws, the server drops what it has and the same error is thrown.
 * Throws what `pg` throws.
 */
export async function copyFromPieces(
  client: Client,
  { target, format }: { target: string; format: 'binary' | 'text' },
  pieces: AsyncIterable<Buffer>,
): Promise<number> {
  const stream = client.query(copyFrom(`copy ${target} from stdin (format ${format})`))
  await pipeline(pieces, stream)
  return stream.rowCount
}
