import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { pipeline } from 'stream/promises'
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
 * as the file's, and a lone empty value would count as no line. Throws `ConfigError` if the file
 * cannot be written; the connection stays usable. Throws what `pg` throws.
 */
export async function copyToFile(
  client: Client,
  select: string,
  path: string,
): Promise<CopiedFile> {
  const statement = `copy (select '', r.* from (${select}) as r) to stdout`
  return await copyStatementToFile(client, statement, path)
}

/** Like `copyToFile`, for a whole `copy … to stdout` statement. */
export async function copyStatementToFile(
  client: Client,
  statement: string,
  path: string,
): Promise<CopiedFile> {
  await using file = await openDrainingFile(path)
  const stream = client.query(copyTo(statement))
  await pipeline(stream, file.sink)
  return { ...file.check(), rows: stream.rowCount }
}

/**
 * Streams rows in COPY's binary format into `target`, a table with its columns. Returns the number
 * of rows stored. If `pieces` throws, the server drops what it has and the same error is thrown.
 * Throws what `pg` throws.
 */
export async function copyFromPieces(
  client: Client,
  target: string,
  pieces: AsyncIterable<Buffer>,
): Promise<number> {
  const stream = client.query(copyFrom(`copy ${target} from stdin (format binary)`))
  await pipeline(pieces, stream)
  return stream.rowCount
}
