import { execFile } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** How a program ended. */
export interface CallResult {
  readonly code: number
  readonly out: string
  readonly err: string
}

export interface CallOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** The package as others have it: packed, and installed in an empty folder elsewhere. */
export interface InstalledPackage extends AsyncDisposable {
  readonly folder: string
  /** Runs a program in `folder`, with no environment but the one that is given. */
  call(program: string, args: readonly string[], options?: CallOptions): Promise<CallResult>
  /** Runs the installed `tidemark`. */
  tidemark(args: readonly string[], options?: CallOptions): Promise<CallResult>
}

/** Packs this repository and installs the tarball, from npm's cache where it can. */
export async function installPackage(): Promise<InstalledPackage> {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-package-'))
  // For root, the database server runs as another user, who must be able to enter.
  chmodSync(folder, 0o711)
  const call: InstalledPackage['call'] = (program, args, { cwd = folder, env = {} } = {}) =>
    new Promise((resolve) => {
      const given = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env }
      execFile(program, args, { cwd, env: given }, (error, out, err) =>
        resolve({ code: error === null ? 0 : Number(error.code), out, err }),
      )
    })
  const packed = await call('npm', ['pack', '--json', '--pack-destination', folder], { cwd: ROOT })
  const [{ filename = '' } = {}] = JSON.parse(packed.out) as { filename?: string }[]
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const options = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund']
  const installed = await call('npm', ['install', ...options, `./${filename}`])
  if (installed.code !== 0) throw new Error(installed.err)
  return {
    folder,
    call,
    tidemark: (args, given) => call(join(folder, 'node_modules/.bin/tidemark'), args, given),
    [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true }),
  }
}
