import { once } from 'node:events'
import * as fs from 'node:fs'
import { createServer, type Server } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { TransientError } from '../../platform/errors.ts'
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres.ts'
import { prepareBinaries, serverAccount } from './postgres-binaries.ts'

const isRoot = process.getuid?.() === 0
const settings = { fsync: 'off', shared_buffers: '16MB' }
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tidemark-postgres-'))
if (isRoot) fs.chmodSync(folder, 0o711)
const inFolder = (name: string): string => path.join(folder, name)
const start = (name: string): Promise<EmbeddedPostgres> =>
  startEmbeddedPostgres({ dataDir: inFolder(name), settings })

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

async function rowsOf(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client(url)
  await client.connect()
  return (await client.query(sql).finally(() => client.end())).rows
}

/** A zombie no longer runs. It only waits for init to collect it. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !fs.existsSync('/proc') || !/\) Z/.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

/** Resolves when the process is gone. Polls, because nothing reports its end to this process. */
async function gone(pid: number): Promise<void> {
  while (isRunning(pid)) await delay(10)
}

/** A bin folder of scripts that run `first` (sh) and then the real program of that name. */
async function scriptedBin(name: string, first: { initdb?: string; postgres?: string }) {
  const real = await prepareBinaries({ account: await serverAccount() })
  fs.mkdirSync(inFolder(name))
  for (const program of ['initdb', 'postgres'] as const) {
    const script = `#!/bin/sh\n${first[program] ?? ''}\nexec ${real}/${program} "$@"\n`
    fs.writeFileSync(path.join(inFolder(name), program), script, { mode: 0o755 })
  }
  fs.chmodSync(inFolder(name), 0o777)
  return inFolder(name)
}

const listen = async (port: number): Promise<Server> => {
  const server = createServer()
  await once(server.listen(port, '127.0.0.1'), 'listening')
  return server
}

describe('startEmbeddedPostgres()', () => {
  let postgres: EmbeddedPostgres
  beforeAll(async () => {
    postgres = await start('main')
  })
  afterAll(() => postgres.stop())

  it('serves on the loopback address alone, with a password', async () => {
    const sql = `select current_setting('listen_addresses') as listen,
      current_setting('unix_socket_directories') as sockets, current_user as role,
      current_setting('server_encoding') as encoding, current_setting('wal_level') as wal`
    expect(await rowsOf(postgres.url('postgres'), sql)).toEqual([
      { listen: '127.0.0.1', sockets: '', role: 'postgres', encoding: 'UTF8', wal: 'replica' },
    ])
    expect(postgres.version).toMatch(/^\d+\.\d+$/)
    await expect(rowsOf(postgres.url('postgres', 'postgres', 'guess'), 'select')).rejects.toThrow(
      'password authentication failed',
    )
  })

  it('keeps the password in a file nobody else can read', () => {
    const file = path.join(inFolder('main'), 'superuser-password')
    expect(fs.statSync(file).mode & 0o777).toBe(0o600)
    expect(postgres.url('x')).toContain(fs.readFileSync(file, 'utf8').trim())
    expect(fs.statSync(postgres.dataDir).mode & 0o777).toBe(0o700)
  })

  it('encodes what a connection string cannot hold', () => {
    expect(postgres.url('a b', 'u@x', 'p/w')).toBe(
      `postgres://u%40x:p%2Fw@127.0.0.1:${postgres.port}/a%20b`,
    )
  })

  it('refuses a cluster that another start is using', async () => {
    await expect(start('main')).rejects.toMatchObject({ code: 'POSTGRES_IN_USE' })
    expect(await rowsOf(postgres.url('postgres'), 'select 1 as one')).toEqual([{ one: 1 }])
  })

  it.runIf(isRoot)('runs as another user than root', () => {
    expect(fs.statSync(`/proc/${postgres.pid}`).uid).not.toBe(0)
  })

  it('comes back with its rows, password and port, and stop() may be repeated', async () => {
    await rowsOf(postgres.url('postgres'), 'create table kept as select 42 as answer')
    const before = postgres
    await Promise.all([postgres.stop(), postgres.stop()])
    await postgres.stop()
    expect(isRunning(before.pid)).toBe(false)
    expect(process.listenerCount('SIGHUP')).toBe(0)
    postgres = await start('main')
    expect(postgres.url('postgres')).toBe(before.url('postgres'))
    expect(await rowsOf(postgres.url('postgres'), 'table kept')).toEqual([{ answer: 42 }])
  })

  it('takes another port when its own is taken', async () => {
    const { port } = postgres
    await postgres.stop()
    const squatter = await listen(port)
    postgres = await start('main')
    squatter.close()
    expect(postgres.port).not.toBe(port)
  })

  it('quotes the log when the server cannot start', async () => {
    await postgres.stop()
    const bad = { dataDir: inFolder('main'), settings: { shared_buffers: 'plenty' } }
    const error = await startEmbeddedPostgres(bad).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(TransientError)
    expect(String(error)).toContain('shared_buffers')
    expect(String(error)).not.toContain(
      fs.readFileSync(path.join(inFolder('main'), 'superuser-password'), 'utf8').trim(),
    )
    postgres = await start('main')
  })

  it('refuses a folder whose password cannot be read', async () => {
    fs.mkdirSync(inFolder('refused/superuser-password'), { recursive: true })
    await expect(start('refused')).rejects.toMatchObject({ code: 'FOLDER_REFUSED' })
  })

  it('tries another port when its own is taken at the last moment, and gives up in the end', async () => {
    const taken = 'for last; do :; done; case "$*" in *port*)'
    const atFirst = `${taken} if mkdir "$(dirname "$0")/seen"; then echo could not bind; exit 1; fi;; esac`
    const binDir = await scriptedBin('taken-once', { postgres: atFirst })
    await using started = await startEmbeddedPostgres({
      dataDir: inFolder('late'),
      binDir,
      settings,
    })
    expect(started.version).toBe(postgres.version)

    const never = await scriptedBin('taken', {
      postgres: `${taken} echo could not bind; exit 1;; esac`,
    })
    const failing = startEmbeddedPostgres({ dataDir: inFolder('never'), binDir: never })
    await expect(failing).rejects.toMatchObject({
      code: 'POSTGRES_NOT_UP',
      message: 'Postgres did not start: could not bind',
    })
  })

  it('leaves nothing behind if a cluster cannot be made', async () => {
    const binDir = await scriptedBin('no-initdb', { initdb: 'echo no room >&2; exit 1' })
    const failing = startEmbeddedPostgres({ dataDir: inFolder('unmade'), binDir })
    await expect(failing).rejects.toMatchObject({
      code: 'INITDB_FAILED',
      message: expect.stringContaining('no room'),
    })
    expect(fs.readdirSync(inFolder('unmade'))).toEqual(['superuser-password'])
  })

  it('leaves signals to a caller that handles them, and otherwise stops with the parent', async () => {
    const ours = vi.fn<() => void>()
    process.on('SIGHUP', ours)
    process.emit('SIGHUP', 'SIGHUP')
    expect(ours).toHaveBeenCalledOnce()
    expect(await rowsOf(postgres.url('postgres'), 'select 1 as one')).toEqual([{ one: 1 }])
    process.off('SIGHUP', ours)

    const kill = vi.spyOn(process, 'kill').mockReturnValue(true)
    process.emit('SIGHUP', 'SIGHUP')
    expect(kill).toHaveBeenCalledWith(process.pid, 'SIGHUP')
    kill.mockRestore()
    await gone(postgres.pid)
  })

  it('refuses a password file that no longer fits', async () => {
    await postgres.stop()
    const file = path.join(inFolder('main'), 'superuser-password')
    const password = fs.readFileSync(file)
    fs.writeFileSync(file, 'wrong\n')
    await expect(start('main')).rejects.toMatchObject({ code: 'POSTGRES_REFUSED' })
    fs.rmSync(file)
    await expect(start('main')).rejects.toMatchObject({ code: 'POSTGRES_PASSWORD_LOST' })
    expect(fs.existsSync(file)).toBe(false)
    fs.writeFileSync(file, password, { mode: 0o600 })
  })

  it('refuses a cluster of another major version', async () => {
    const version = path.join(postgres.dataDir, 'PG_VERSION')
    const made = fs.readFileSync(version, 'utf8')
    fs.writeFileSync(version, '9.6\n')
    await expect(start('main')).rejects.toMatchObject({ code: 'POSTGRES_VERSION' })
    fs.writeFileSync(version, made)
  })

  const system = '/usr/lib/postgresql/15/bin'
  it.runIf(fs.existsSync(system))('runs a system Postgres if its bin folder is named', async () => {
    const options = { dataDir: inFolder('system'), binDir: system, settings }
    await using installed = await startEmbeddedPostgres(options)
    expect(installed.version).toMatch(/^15\./)
  })
})

it.runIf(isRoot)(
  'moves the cluster where the server can reach it, and makes an abandoned one again',
  async () => {
    fs.mkdirSync(inFolder('closed'), { mode: 0o700 })
    const password = inFolder('closed/postgres/superuser-password')
    const first = await start('closed/postgres')
    expect(first.dataDir.startsWith(folder)).toBe(false)
    const shell = path.dirname(first.dataDir)
    try {
      expect(fs.statSync(shell)).toMatchObject({ uid: 0 })
      expect(fs.statSync(shell).mode & 0o022).toBe(0)
      await rowsOf(first.url('postgres'), 'create table old as select 1')
      await first.stop()

      fs.rmSync(password)
      const second = await start('closed/postgres')
      expect(second.dataDir).toBe(first.dataDir)
      const tables = await rowsOf(second.url('postgres'), `select to_regclass('old') as old`)
      expect(tables).toEqual([{ old: null }])
      await second.stop()
    } finally {
      fs.rmSync(shell, { recursive: true, force: true })
    }
  },
)
