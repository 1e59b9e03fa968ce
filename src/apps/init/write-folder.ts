import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, rename, rm, rmdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { codeOf, ConfigError, InterruptedError } from '../../platform/errors.ts'
import type { ProjectFile } from './project-files.ts'

/** What a new project has at its top, or may have. */
const OWN = ['models', '.env.example', '.gitignore', 'README.md']

/**
 * Throws `ConfigError` if the folder holds a project already (`PROJECT_EXISTS`) or files that a new
 * project would write (`FOLDER_NOT_FREE`), `more` among them, or if it is not a folder. Other files do
 * not matter.
 */
export function checkFree(folder: string, more: readonly string[] = []): void {
  const found = listFolder(folder)
  const config = found.find((name) => name.startsWith('tidemark.config.'))
  if (config !== undefined) {
    throw new ConfigError(`There is a project in ${folder} already: ${config}`, {
      code: 'PROJECT_EXISTS',
      hint: 'name another folder; nothing was changed',
    })
  }
  const inTheWay = found.filter((name) => [...OWN, ...more].includes(name))
  if (inTheWay.length > 0) throw notFree(folder, inTheWay)
}

function notFree(folder: string, names: readonly string[]): ConfigError {
  return new ConfigError(`These are in the way in ${folder}: ${names.join(', ')}`, {
    code: 'FOLDER_NOT_FREE',
    hint: 'name another folder, or move them away; nothing was changed',
  })
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return []
    if (codeOf(error) !== 'ENOTDIR') throw error
    throw new ConfigError(`${folder} is a file, not a folder`, {
      code: 'FOLDER_NOT_FREE',
      hint: 'name another folder; nothing was changed',
    })
  }
}

/**
 * Writes the files of a new project. They are written beside the folder first, and then moved, so that
 * an interruption leaves nothing half-written. A new folder appears at once, with everything in it. In a
 * folder that is there, nothing is replaced, and the configuration comes last.
 *
 * Throws what `checkFree` throws, `InterruptedError` if the signal is aborted before the first move, and
 * the error of the file system; what was moved until then is removed again.
 */
export async function writeFolder(
  folder: string,
  files: readonly ProjectFile[],
  signal: AbortSignal,
): Promise<void> {
  checkFree(
    folder,
    files.map(({ path }) => path),
  )
  const place = resolve(folder)
  const isNew = !existsSync(place)
  const parent = isNew ? dirname(place) : place
  const made = await mkdir(parent, { recursive: true })
  const beside = join(parent, `.${basename(place)}.tidemark-init-${randomUUID().slice(0, 8)}`)
  await mkdir(beside)
  try {
    for (const file of files) await writeProjectFile(beside, file)
    if (signal.aborted) {
      throw new InterruptedError('Stopped before the project was written', { code: 'INTERRUPTED' })
    }
    if (isNew) await rename(beside, place)
    else await moveInto(place, beside)
  } catch (error) {
    await rm(beside, { recursive: true, force: true })
    if (made !== undefined) await removeEmpty(parent, made)
    throw error
  }
  await rm(beside, { recursive: true, force: true })
}

/** Removes a folder and those above it, up to `last`, as far as they are empty. */
async function removeEmpty(folder: string, last: string): Promise<void> {
  for (let each = folder; each.startsWith(last); each = dirname(each)) {
    await rmdir(each).catch(() => {})
  }
}

async function writeProjectFile(
  folder: string,
  { path, text, isSecret = false }: ProjectFile,
): Promise<void> {
  const file = join(folder, path)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text, { flag: 'wx', mode: isSecret ? 0o600 : 0o644 })
}

/** Moves what is in a folder to another one, the configuration last. Undoes it if a move fails. */
async function moveInto(place: string, beside: string): Promise<void> {
  const names = readdirSync(beside).toSorted((a, b) => Number(isConfig(a)) - Number(isConfig(b)))
  const moved: string[] = []
  try {
    for (const name of names) {
      await rename(join(beside, name), join(place, name))
      moved.push(name)
    }
  } catch (error) {
    for (const name of moved) await rm(join(place, name), { recursive: true, force: true })
    throw error
  }
}

function isConfig(name: string): boolean {
  return name.startsWith('tidemark.config.')
}
