import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import pg from 'pg'
import { ConfigError, TransientError } from '../../platform/errors.ts'
import { clusterFolder, sweepClusters } from './cluster-folder.ts'
import { readLine, starterFile, stopOrphan } from './orphaned-server.ts'
import { type Account, prepareBinaries, renameOrDrop, serverAccount } from './postgres-binaries.ts'
import { watchServer } from './server-watch.ts'

const run = promisify(execFile)

/** Where a cluster is, and what it runs with. */
export interface EmbeddedPostgresOptions {
  /** The folder that names the cluster. Holds its password and, if possible, the cluster itself. */
  dataDir: string
  /** The `bin` folder of a system Postgres to use instead of the npm binaries. */
  binDir?: string
  /** Server settings that override the defaults, for tests: `{ fsync: 'off' }`. */
  settings?: Readonly<Record<string, string | number>>
}

/** A running server. Disposing stops it. */
export interface EmbeddedPostgres extends AsyncDisposable {
  /** `server_version`, such as `18.4`. */
  readonly version: string
  readonly host: '127.0.0.1'
  readonly port: number
  readonly pid: number
  /** Where the cluster is: `<dataDir>/cluster`, or outside if root had to put it there. */
  readonly dataDir: string
  /** A connection string, for the superuser `postgres` unless another role is named. */
  url(database: string, user?: string, password?: string): string
  /** Shuts the server down fast. Resolves when it is gone. May be repeated. */
  stop(): Promise<void>
}

const superuser = 'postgres'
const host = '127.0.0.1'
const startTimeoutMs = 30_000
const defaults = {
  listen_addresses: host,
  unix_socket_directories: '',
  shared_buffers: '128MB',
  max_connections: 100,
  max_prepared_transactions: 0,
  wal_level: 'replica',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // The log goes into error messages, so it must hold neither statements nor the values in DETAIL.
  log_min_error_statement: 'panic',
  log_error_verbosity: 'terse',
}

/**
 * Starts a real Postgres server on the loopback address. Resolves when it takes connections.
 *
 * The first start makes the cluster: UTF8, locale C, scram, and a random superuser password in
 * `<dataDir>/superuser-password` (mode 0600). Later starts reuse the cluster, the password and, if
 * it is free, the port. The server ends soon after this process, however that ends. If it does not,
 * the next start stops it; that start also removes clusters whose homes are gone.
 *
 * For root, the server runs as `nobody`, with binaries and cluster where `nobody` can reach them.
 * Writes nothing inside node_modules. Throws `ConfigError` (no binaries, cluster in use, unusable
 * folder) or `TransientError` (not up within 30 s).
 */
export async function startEmbeddedPostgres(
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const home = path.resolve(options.dataDir)
  const account = await serverAccount()
  fs.mkdirSync(home, { recursive: true, mode: account === undefined ? 0o700 : 0o711 })
  const binDir = await prepareBinaries({ account, binDir: options.binDir })
  const { password, fresh } = superuserPassword(home)
  const cluster = clusterFolder(home, account)

  if (account !== undefined) await sweepClusters()
  await stopOrphan(cluster)
  // A cluster outside without its password belongs to a project folder that was removed since.
  if (fresh && path.dirname(cluster) !== home) fs.rmSync(cluster, { recursive: true, force: true })
  if (!fs.existsSync(cluster)) await initCluster({ cluster, binDir, password, account })
  else if (fresh) throw lostPassword(home)
  await checkVersion(cluster, binDir)

  const settings = { ...defaults, ...options.settings }
  const server = await launch({ home, cluster, binDir, account, settings })
  const url = (database: string, user = superuser, secret = password): string =>
    `postgres://${encodeURIComponent(user)}:${encodeURIComponent(secret)}` +
    `@${host}:${server.port}/${encodeURIComponent(database)}`
  const stop = (): Promise<void> => stopChild(server.child)
  try {
    const version = await serverVersion(url('postgres'))
    const { pid, port } = server
    return { version, host, port, pid, dataDir: cluster, url, stop, [Symbol.asyncDispose]: stop }
  } catch (cause) {
    await stop()
    throw new ConfigError(`The Postgres in ${cluster} refuses its superuser`, {
      code: 'POSTGRES_REFUSED',
      hint: `remove it to start over: rm -r ${home}`,
      cause,
    })
  }
}

// --- The cluster.

function superuserPassword(home: string): { password: string; fresh: boolean } {
  const file = path.join(home, 'superuser-password')
  const password = randomBytes(24).toString('base64url')
  try {
    fs.writeFileSync(file, `${password}\n`, { mode: 0o600, flag: 'wx' })
    return { password, fresh: true }
  } catch {
    // It exists: this is a restart, or the folder is another user's. Reading it tells which.
  }
  try {
    return { password: fs.readFileSync(file, 'utf8').trim(), fresh: false }
  } catch (cause) {
    throw new ConfigError(`${home} cannot be used by this user`, {
      code: 'FOLDER_REFUSED',
      hint: `run as the user who made ${home}, or name another folder: --home <folder>`,
      cause,
    })
  }
}

function lostPassword(home: string): ConfigError {
  fs.rmSync(path.join(home, 'superuser-password'))
  return new ConfigError(
    `The folder ${home} holds a cluster, but its superuser's password is gone`,
    {
      code: 'POSTGRES_PASSWORD_LOST',
      hint: `put the file superuser-password back, or start over: rm -r ${home}`,
    },
  )
}

interface ClusterPlace {
  cluster: string
  binDir: string
  account: Account | undefined
}

/**
 * Makes the cluster under another name and renames it, so a killed start leaves no half cluster.
 */
async function initCluster(options: ClusterPlace & { password: string }): Promise<void> {
  const { cluster, account } = options
  const draft = `${cluster}.${randomBytes(6).toString('hex')}`
  const passwordFile = `${draft}.password`
  try {
    fs.mkdirSync(draft, { mode: 0o700 })
    fs.writeFileSync(passwordFile, options.password, { mode: 0o600, flag: 'wx' })
    for (const made of account === undefined ? [] : [draft, passwordFile])
      fs.chownSync(made, account!.uid, account!.gid)
    const flags = ['-D', draft, '-U', superuser, '-E', 'UTF8', '--locale=C', '--no-sync']
    const auth = ['--auth=scram-sha-256', `--pwfile=${passwordFile}`]
    await run(path.join(options.binDir, 'initdb'), [...flags, ...auth], spawnOptions(account))
    renameOrDrop(draft, cluster)
  } catch (cause) {
    fs.rmSync(draft, { recursive: true, force: true })
    throw new ConfigError(`initdb failed in ${cluster}: ${lastLines(String(cause))}`, {
      code: 'INITDB_FAILED',
      hint: 'pass --pg-bin <folder> to use an installed Postgres',
    })
  } finally {
    fs.rmSync(passwordFile, { force: true })
  }
}

const spawnOptions = (account: Account | undefined) => ({
  cwd: '/',
  env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
  ...account,
})

const lastLines = (log: string): string => log.trim().split('\n').slice(-5).join('\n')

async function checkVersion(cluster: string, binDir: string): Promise<void> {
  const made = fs.readFileSync(path.join(cluster, 'PG_VERSION'), 'utf8').trim()
  const { stdout } = await run(path.join(binDir, 'postgres'), ['--version'])
  const found = /\d+/.exec(stdout)?.[0]
  if (made === found) return
  throw new ConfigError(`Postgres ${made} made the cluster, but the server is Postgres ${found}`, {
    code: 'POSTGRES_VERSION',
    hint: `use Postgres ${made} (--pg-bin <folder>), or start over: rm -r ${path.dirname(cluster)}`,
  })
}

async function serverVersion(url: string): Promise<string> {
  const client = new pg.Client(url)
  try {
    await client.connect()
    const { rows } = await client.query<{ server_version: string }>('show server_version')
    return rows[0]!.server_version.split(' ')[0]!
  } finally {
    await client.end()
  }
}

// --- The server.

interface Launch extends ClusterPlace {
  home: string
  settings: Readonly<Record<string, string | number>>
}

async function launch(
  options: Launch,
): Promise<{ child: ChildProcess; port: number; pid: number }> {
  const { home, cluster, binDir, account } = options
  const logFile = path.join(home, 'postgres.log')
  const deadline = Date.now() + startTimeoutMs
  for (let attempt = 1; ; attempt++) {
    const port = await freePort(Number(readLine(path.join(home, 'port'), 0)))
    const settings = Object.entries({ ...options.settings, port })
    const flags = settings.flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const log = fs.openSync(logFile, 'w', 0o600)
    // Detached, so that Ctrl-C reaches only the parent, which stops the server after its own work.
    const child = spawn(path.join(binDir, 'postgres'), ['-D', cluster, ...flags], {
      ...spawnOptions(account),
      stdio: ['ignore', log, log],
      detached: true,
    })
    fs.closeSync(log)
    let failure: Error | undefined
    child.once('error', (error) => (failure = error))
    stopWithParent(child)
    if (child.pid !== undefined) {
      const dismiss = watchServer(cluster, { pid: child.pid, account })
      child.once('exit', dismiss)
    }
    fs.writeFileSync(starterFile(cluster), `${process.pid}\n`)

    const isGone = (): boolean => failure !== undefined || child.exitCode !== null
    const lockFile = path.join(cluster, 'postmaster.pid')
    const isReady = (): boolean =>
      readLine(lockFile, 0) === String(child.pid) && readLine(lockFile, 7) === 'ready'
    while (!isGone() && Date.now() < deadline) {
      if (isReady()) {
        fs.writeFileSync(path.join(home, 'port'), `${port}\n`)
        child.unref()
        return { child, port, pid: child.pid! }
      }
      await delay(10)
    }
    await stopChild(child)
    const lines = fs.readFileSync(logFile, 'utf8')
    // Another program took the port after the probe.
    if (attempt < 3 && lines.includes('could not bind')) continue
    throw new TransientError(`Postgres did not start: ${failure?.message ?? lastLines(lines)}`, {
      code: 'POSTGRES_NOT_UP',
      hint: `read its log: ${logFile}`,
    })
  }
}

/** The wanted port if nothing listens there, else one that the kernel picks. */
async function freePort(wanted: number): Promise<number> {
  for (const port of wanted > 0 ? [wanted, 0] : [0]) {
    const probe = createServer()
    try {
      await once(probe.listen(port, host), 'listening')
      const address = probe.address()
      if (address !== null && typeof address === 'object') return address.port
    } catch {
      continue
    } finally {
      probe.close()
    }
  }
  throw new TransientError('No port is free on 127.0.0.1', {
    code: 'NO_FREE_PORT',
    hint: 'end programs that listen there, then try again',
  })
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.ref()
  child.kill('SIGINT')
  const timer = setTimeout(() => child.kill('SIGQUIT'), startTimeoutMs)
  await exited
  clearTimeout(timer)
}

// --- The parent's end.

const running = new Set<ChildProcess>()
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

function stopWithParent(child: ChildProcess): void {
  if (running.size === 0) {
    process.on('exit', killAll)
    for (const signal of signals) process.on(signal, onSignal)
  }
  running.add(child)
  const forget = (): void => {
    if (!running.delete(child) || running.size > 0) return
    process.off('exit', killAll)
    for (const signal of signals) process.off(signal, onSignal)
  }
  child.once('exit', forget)
  child.once('error', forget)
}

const killAll = (): void => running.forEach((child) => void child.kill('SIGINT'))

/**
 * Acts only if nobody else listens. A caller with its own handler calls stop() when it is ready.
 */
function onSignal(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return
  killAll()
  process.off(signal, onSignal)
  process.kill(process.pid, signal)
}
