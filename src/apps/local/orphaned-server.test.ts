import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres.ts'
import { prepareBinaries, serverAccount } from './postgres-binaries.ts'

const run = promisify(execFile)
const isRoot = process.getuid?.() === 0
const settings = { fsync: 'off', shared_buffers: '16MB' }
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tidemark-orphan-'))
if (isRoot) fs.chmodSync(folder, 0o711)
const inFolder = (name: string): string => path.join(folder, name)
const start = (name: string): Promise<EmbeddedPostgres> =>
  startEmbeddedPostgres({ dataDir: inFolder(name), settings })

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }))

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

/** As on a system without /proc, where `ps` must tell. */
async function withoutProc<Result>(work: () => Promise<Result>): Promise<Result> {
  const real = Object.getOwnPropertyDescriptor(process, 'platform')!
  Object.defineProperty(process, 'platform', { ...real, value: 'darwin' })
  return work().finally(() => Object.defineProperty(process, 'platform', real))
}

describe('stopOrphan()', () => {
  let postgres: EmbeddedPostgres
  beforeAll(async () => {
    postgres = await start('main')
    await postgres.stop()
  })
  afterAll(() => postgres.stop())

  it('starts although its old process number belongs to another program', async () => {
    const lock = path.join(postgres.dataDir, 'postmaster.pid')
    fs.writeFileSync(lock, `${process.pid}\n${postgres.dataDir}\n`)
    postgres = await start('main')
    expect(isRunning(process.pid)).toBe(true)
  })

  it('starts although its old process number belongs to another Postgres', async () => {
    await postgres.stop()
    await using other = await start('other')
    const lock = path.join(postgres.dataDir, 'postmaster.pid')
    fs.writeFileSync(lock, `${other.pid}\n${postgres.dataDir}\n`)
    const binDir = await prepareBinaries({ account: await serverAccount() })
    const options = { dataDir: inFolder('main'), binDir, settings }
    const started = withoutProc(() => startEmbeddedPostgres(options))
    await expect(started).rejects.toMatchObject({ code: 'POSTGRES_IN_USE' })
    postgres = await start('main')
    expect(isRunning(other.pid)).toBe(true)
  })
})

describe('a parent process', () => {
  const entry = inFolder('js/parent.mjs')
  const repository = path.resolve(import.meta.dirname, '../../..')

  beforeAll(async () => {
    const tsc = path.join(repository, 'node_modules/typescript/bin/tsc')
    const source = path.join(import.meta.dirname, 'embedded-postgres.ts')
    const flags = [
      '--target',
      'es2023',
      '--module',
      'nodenext',
      '--rewriteRelativeImportExtensions',
    ]
    const out = ['--ignoreConfig', '--noCheck', '--skipLibCheck', '--outDir', inFolder('js')]
    fs.mkdirSync(inFolder('js'))
    fs.writeFileSync(inFolder('js/package.json'), '{"type":"module"}')
    fs.symlinkSync(path.join(repository, 'node_modules'), inFolder('js/node_modules'))
    await run(process.execPath, [tsc, source, ...flags, ...out])
    fs.writeFileSync(
      entry,
      `import { startEmbeddedPostgres } from './apps/local/embedded-postgres.js'
       const settings = ${JSON.stringify(settings)}
       const postgres = await startEmbeddedPostgres({ dataDir: process.argv[2], settings })
       console.log(JSON.stringify({ pid: postgres.pid, dataDir: postgres.dataDir }))
       process.stdin.once('end', () => process.exit()).resume()`,
    )
  })

  interface Parent {
    node: ChildProcess
    pid: number
    dataDir: string
  }

  async function parentOf(
    name: string,
    account: { uid?: number; gid?: number; detached?: boolean } = {},
  ): Promise<Parent> {
    const node = spawn(process.execPath, [entry, inFolder(name)], {
      stdio: ['pipe', 'pipe', 'inherit'],
      ...account,
    })
    const lines = createInterface(node.stdout)
    const [line] = (await Promise.race([once(lines, 'line'), once(lines, 'close')])) as [string?]
    if (line === undefined) throw new Error('the parent ended before its server had started')
    return { node, ...(JSON.parse(line) as { pid: number; dataDir: string }) }
  }

  /** Process numbers of those that watch the server of a cluster. */
  async function watchersOf(dataDir: string): Promise<number[]> {
    const { stdout } = await run('ps', ['-ww', '-A', '-o', 'pid=,args='])
    return stdout
      .split('\n')
      .filter((line) => line.includes(`tidemark-watch ${dataDir} `))
      .map((line) => Number.parseInt(line, 10))
  }

  async function watchersGone(dataDir: string): Promise<void> {
    while ((await watchersOf(dataDir)).length > 0) await delay(10)
  }

  /** A server whose parent and watcher were killed. */
  async function orphan(name: string): Promise<Parent> {
    const parent = await parentOf(name)
    const watchers = await watchersOf(parent.dataDir)
    expect(watchers).toHaveLength(1)
    for (const pid of watchers) process.kill(pid, 'SIGKILL')
    parent.node.kill('SIGKILL')
    await once(parent.node, 'exit')
    expect(isRunning(parent.pid)).toBe(true)
    return parent
  }

  it('takes the server with it when it exits and when it is signalled', async () => {
    for (const end of ['exit', 'SIGTERM'] as const) {
      const { node, pid } = await parentOf('child')
      const ended = once(node, 'exit')
      if (end === 'exit') node.stdin!.end()
      else node.kill(end)
      expect(await ended).toEqual(end === 'exit' ? [0, null] : [null, end])
      await gone(pid)
    }
  })

  it.each([
    ['alone', (node: ChildProcess) => node.kill('SIGKILL')],
    ['with its whole group', (node: ChildProcess) => process.kill(-(node.pid ?? 0), 'SIGKILL')],
  ])('that was killed %s takes the server with it', async (_, kill) => {
    const { node, pid, dataDir } = await parentOf('child', { detached: true })
    const ended = once(node, 'exit')
    kill(node)
    expect(await ended).toEqual([null, 'SIGKILL'])
    await gone(pid)
    // It ended in order: nothing is left to recover from.
    expect(fs.existsSync(path.join(dataDir, 'postmaster.pid'))).toBe(false)
    await watchersGone(dataDir)
  })

  it('that stops its server leaves no watcher behind', async () => {
    const stopped = await start('child')
    expect(await watchersOf(stopped.dataDir)).toHaveLength(1)
    await stopped.stop()
    await watchersGone(stopped.dataDir)
  })

  it('that was killed together with its watcher leaves a server which the next start stops', async () => {
    const { pid } = await orphan('child')
    await using next = await start('child')
    expect(next.pid).not.toBe(pid)
    expect(isRunning(pid)).toBe(false)
  })

  it('that was killed together with its watcher leaves a server that is found without /proc too', async () => {
    const { pid } = await orphan('child')
    const binDir = await prepareBinaries({ account: await serverAccount() })
    const options = { dataDir: inFolder('child'), binDir, settings }
    await using next = await withoutProc(() => startEmbeddedPostgres(options))
    expect(next.pid).not.toBe(pid)
    expect(isRunning(pid)).toBe(false)
  })

  it.runIf(isRoot)('may belong to an ordinary user', async () => {
    fs.chmodSync(folder, 0o711)
    fs.mkdirSync(inFolder('theirs-too'))
    fs.chownSync(inFolder('theirs-too'), 65534, 65534)
    const account = { uid: 65534, gid: 65534 }
    const { node, dataDir, pid } = await parentOf('theirs-too/postgres', account)
    expect(dataDir).toBe(inFolder('theirs-too/postgres/cluster'))
    expect(fs.statSync(inFolder('theirs-too/postgres')).mode & 0o777).toBe(0o700)
    node.stdin!.end()
    await gone(pid)
  })
})
