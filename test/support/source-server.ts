import { execFile } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../src/apps/local/embedded-postgres.ts'
import type { Database } from '../../src/platform/io/database.ts'

const run = promisify(execFile)

type Settings = Readonly<Record<string, string | number>>

/** A source on its own server, which can be copied, put back, followed and stopped. */
export interface SourceServer extends AsyncDisposable {
  /** As a reader with nothing but `SELECT` connects. */
  readonly database: Database
  readonly postgres: EmbeddedPostgres
  /** Runs statements as the superuser and returns the rows of the last one. */
  sql<Row extends pg.QueryResultRow>(text: string): Promise<Row[]>
  /** Copies the cluster's folder while the server runs; returns the copy's home. */
  copy(): Promise<string>
  /** Stops the server, puts a copy in the place of its cluster, and starts it. */
  putBack(copy: string): Promise<void>
  /** Starts a standby from a copy; it streams from this server. `settings` can be reset by SQL. */
  follow(copy: string, settings?: Settings): Promise<SourceServer>
  stop(): Promise<void>
  /** After `stop`, or when the server has ended. */
  start(): Promise<void>
}

const SETTINGS: Settings = {
  fsync: 'off',
  full_page_writes: 'off',
  autovacuum: 'off',
  shared_buffers: '16MB',
  max_connections: 30,
  max_wal_size: '128MB',
  min_wal_size: '32MB',
}

const READER = 'reader'

/** A primary with a reader role that may read what is made in `public`. */
export async function startSource(settings: Settings = {}): Promise<SourceServer> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-source-'))
  // For root, the server runs as another user, who must be able to enter.
  chmodSync(folder, 0o711)
  const server = await start(join(folder, 'primary'), { ...SETTINGS, ...settings })
  await server.sql(`
    create role ${READER} login password '${READER}';
    grant usage on schema public to ${READER};
    alter default privileges in schema public grant select on tables to ${READER}`)
  return {
    ...server,
    get postgres() {
      return server.postgres
    },
    get database() {
      return server.database
    },
    async [Symbol.asyncDispose]() {
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function start(home: string, settings: Settings): Promise<SourceServer> {
  let postgres = await startEmbeddedPostgres({ dataDir: home, settings })
  const followers: SourceServer[] = []
  let copies = 0
  const open = async <T>(work: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = new pg.Client(postgres.url('postgres'))
    // The server may be stopped, or crash, in the middle.
    client.on('error', () => {})
    await client.connect()
    return await work(client).finally(() => client.end())
  }
  return {
    get postgres() {
      return postgres
    },
    get database() {
      const url = postgres.url('postgres', READER, READER)
      return { title: 'Things', code: 'SOURCE', url, attempts: 1 }
    },
    sql: <Row extends pg.QueryResultRow>(text: string) =>
      open(async (client) => {
        const results: unknown = await client.query(text)
        return ([results].flat() as pg.QueryResult<Row>[]).at(-1)?.rows ?? []
      }),
    async copy() {
      const copy = join(dirname(home), `copy-${copies++}`)
      mkdirSync(copy, { mode: 0o711 })
      const cluster = join(copy, 'cluster')
      await open(async (client) => {
        await client.query(`select pg_backup_start('copy', true)`)
        await run('cp', ['-a', postgres.dataDir, cluster])
        const { rows } = await client.query<{ labelfile: string }>(
          'select labelfile from pg_backup_stop(false)',
        )
        writeIn(cluster, 'backup_label', rows[0]?.labelfile ?? '')
        await run('cp', ['-a', `${postgres.dataDir}/pg_wal/.`, join(cluster, 'pg_wal')])
      })
      await run('cp', ['-a', join(home, 'superuser-password'), copy])
      rmSync(join(cluster, 'postmaster.pid'))
      return copy
    },
    async putBack(copy) {
      await postgres.stop()
      rmSync(postgres.dataDir, { recursive: true })
      await run('cp', ['-a', join(copy, 'cluster'), postgres.dataDir])
      postgres = await startEmbeddedPostgres({ dataDir: home, settings })
    },
    async follow(copy, more = {}) {
      const cluster = join(copy, 'cluster')
      const url = new URL(postgres.url('postgres'))
      const primary = `host=127.0.0.1 port=${url.port} user=${url.username} password=${url.password}`
      const lines = Object.entries({ ...more, primary_conninfo: primary })
      for (const [name, value] of lines) {
        appendFileSync(join(cluster, 'postgresql.auto.conf'), `${name} = '${value}'\n`)
      }
      writeIn(cluster, 'standby.signal', '')
      const follower = await start(copy, settings)
      followers.push(follower)
      return follower
    },
    async start() {
      postgres = await startEmbeddedPostgres({ dataDir: home, settings })
    },
    async stop() {
      for (const follower of followers) await follower.stop()
      await postgres.stop()
    },
    async [Symbol.asyncDispose]() {
      for (const follower of followers) await follower.stop()
      await postgres.stop()
    },
  }
}

/** Writes a file that belongs to the server's user, who may be another. */
function writeIn(cluster: string, name: string, text: string): void {
  const path = join(cluster, name)
  const { uid, gid } = statSync(cluster)
  writeFileSync(path, text, { mode: 0o600 })
  chownSync(path, uid, gid)
}

/** Waits until a standby has replayed everything its primary has written by now. */
export async function catchUp(standby: SourceServer, primary: SourceServer): Promise<void> {
  const [now] = await primary.sql<{ wal: string }>('select pg_current_wal_flush_lsn() as wal')
  for (;;) {
    const [found] = await standby.sql<{ is_there: boolean }>(
      `select pg_last_wal_replay_lsn() >= '${now?.wal}'::pg_lsn as is_there`,
    )
    if (found?.is_there === true) return
  }
}
