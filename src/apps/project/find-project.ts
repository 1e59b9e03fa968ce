import { existsSync, readdirSync, realpathSync, type Stats, statSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { codeOf, ConfigError } from '../../platform/errors.ts'
import type { GivenProject } from '../project-extension.ts'

/** The names of a project's config file. A folder holds one of them. */
const CONFIG_FILES = ['.ts', '.js', '.mjs', '.json'].map((ending) => `tidemark.config${ending}`)

/**
 * The config file of a project: the one that is named by its folder or by the file itself, or else
 * the one in the working directory or in the nearest folder above it. Undefined if there is none.
 * Throws `ConfigError` (`PROJECT_NOT_FOUND`, `PROJECT_AMBIGUOUS`).
 */
export function findProject(named: string | undefined): string | undefined {
  return named ? findNamedProject(named) : findProjectAbove(process.cwd())
}

/**
 * The config file of the project that is named by its folder or by the file itself. Throws
 * `ConfigError` (`PROJECT_NOT_FOUND`, `PROJECT_AMBIGUOUS`) unless there is exactly one.
 */
export function findNamedProject(place: string): string {
  const stats = statsOf(place)
  if (stats?.isDirectory() === true) {
    const found = configIn(place)
    if (found !== undefined) return found
    throw new ConfigError(`There is no ${CONFIG_FILES[0]} in ${place}`, {
      code: 'PROJECT_NOT_FOUND',
      hint: 'name the folder of a project with --project or TIDEMARK_PROJECT, or write one there: docs/package.md',
    })
  }
  if (stats === undefined) {
    throw new ConfigError(`There is no project at ${place}`, {
      code: 'PROJECT_NOT_FOUND',
      hint: 'name a folder with a tidemark.config.ts, or that file, with --project or TIDEMARK_PROJECT',
    })
  }
  if (CONFIG_FILES.some((name) => extname(name) === extname(place))) return place
  throw new ConfigError(`${place} is not the config file of a project`, {
    code: 'PROJECT_NOT_FOUND',
    hint: `name a folder, or a file such as ${CONFIG_FILES.join(', ')}`,
  })
}

/** The nearest config file. One in the working directory is called by its name alone. */
function findProjectAbove(folder: string): string | undefined {
  const found = configIn(folder)
  if (found !== undefined) return folder === process.cwd() ? basename(found) : found
  const above = dirname(folder)
  return above === folder ? undefined : findProjectAbove(above)
}

function configIn(folder: string): string | undefined {
  const found = namesIn(folder).filter((name) => CONFIG_FILES.includes(name))
  const [first] = found
  if (found.length > 1) {
    throw new ConfigError(`${folder} has ${found.length} config files: ${found.join(', ')}`, {
      code: 'PROJECT_AMBIGUOUS',
      hint: 'keep one of them, or name the one to use: tidemark --project <file>',
    })
  }
  return first === undefined ? undefined : join(folder, first)
}

/** The names in a folder, in order. A folder above that cannot be read holds no project of ours. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder).toSorted()
  } catch {
    return []
  }
}

function statsOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR') return undefined
    throw error
  }
}

/**
 * Whether a config file is that of the project which comes with Tidemark. It is in the program
 * already, and what belongs to it is kept in the working directory.
 */
export function isStandardProject(
  file: string,
  given: Pick<GivenProject, 'folders'> | undefined,
): boolean {
  const folder = realpathSync(dirname(file))
  return (given?.folders ?? []).some((own) => existsSync(own) && realpathSync(own) === folder)
}
