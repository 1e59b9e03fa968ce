import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'

/** Debian installs it where only root looks. */
const ENVIRONMENT = { PATH: `${process.env['PATH']}:/usr/sbin` }

/** At a desk without PgBouncer its tests are skipped, and say so; on a CI machine they fail. */
export function isPoolerMissing(): boolean {
  if (process.env['CI'] !== undefined) return false
  const { status } = spawnSync('pgbouncer', ['--version'], { env: ENVIRONMENT })
  if (status !== 0) process.stderr.write('Pooler tests are skipped: there is no pgbouncer\n')
  return status !== 0
}

export interface Pooler extends AsyncDisposable {
  /** The same database and user, behind the pooler. */
  through(url: string): string
}

/**
 * PgBouncer before a server: it pools transactions, has one server connection for each user of a
 * database, and cleans nothing up between its clients. `urls` name the users who may come.
 */
export async function startPooler(...urls: readonly string[]): Promise<Pooler> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-pooler-'))
  chmodSync(folder, 0o777)
  const port = await freePort()
  const users = urls.map((url) => new URL(url))
  const [server] = users
  const write = (name: string, lines: readonly string[]): string => {
    const path = join(folder, name)
    writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o644 })
    return path
  }
  const log = join(folder, 'pgbouncer.log')
  const config = write('pgbouncer.ini', [
    '[databases]',
    `* = host=${server?.hostname} port=${server?.port}`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = scram-sha-256',
    `auth_file = ${write(
      'users.txt',
      users.map(({ username, password }) => `"${username}" "${decodeURIComponent(password)}"`),
    )}`,
    'pool_mode = transaction',
    'default_pool_size = 1',
    'max_client_conn = 100',
    'server_reset_query =',
    `logfile = ${log}`,
  ])
  // It refuses to run as root.
  const user = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const child = spawn('pgbouncer', [...user, config], { stdio: 'ignore', env: ENVIRONMENT })
  const exited = once(child, 'exit')
  const through = (url: string): string => {
    const pooled = new URL(url)
    pooled.hostname = '127.0.0.1'
    pooled.port = String(port)
    return pooled.href
  }
  const probe = through(urls[0] ?? '')
  while (!(await answers(probe))) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`PgBouncer did not start: ${readFileSync(log, 'utf8')}`)
    }
  }
  return {
    through,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await exited
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client(url)
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } catch {
    return false
  } finally {
    await client.end()
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
