import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { identifiers, qualified } from '../src/platform/io/sql.ts'
import { totesys } from '../src/totesys/totesys.ts'
import type { Place } from './deps.ts'

/** `COPY … TO STDOUT` of each table's captured columns, one after the other; all bytes dropped. */
export async function rawExtract({ sourceUrl }: Place): Promise<void> {
  const source = new pg.Client(sourceUrl)
  await source.connect()
  try {
    await source.query('begin isolation level repeatable read read only')
    for (const { name, columns } of totesys.source.tables) {
      const from = `${qualified(totesys.source.schema, name)} (${identifiers(Object.keys(columns ?? {}))})`
      const discard = new Writable({ write: (_chunk, _encoding, done) => done() })
      await pipeline(source.query(copyTo(`copy ${from} to stdout`)), discard)
    }
  } finally {
    await source.end()
  }
}
