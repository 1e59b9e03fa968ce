import { dirname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Config } from '../../platform/config.ts'
import { ConfigError } from '../../platform/errors.ts'
import type { Project } from '../../platform/project/project.ts'
import type { GivenProject, LoadedProject } from '../project-extension.ts'
import { isStandardProject } from './find-project.ts'
import { mirrorOptions } from './mirror-options.ts'

/** Every table of a source that has no project. */
const PLAIN_MIRROR: Project = {
  name: 'mirror',
  title: 'the source',
  source: { schema: 'public', tables: [] },
  models: [],
  mirror: {},
}

/**
 * Loads the project that settings name. Without one, databases that they name are of a mirror if the given project is only
 * the fallback; otherwise it is the given project. Settings of mirrors override what the project says.
 * Writes nothing. Throws `ConfigError` for a project that is not valid, with its file, and for settings
 * of mirrors with a project that is not one.
 */
export async function loadProject(config: Config, given: GivenProject): Promise<LoadedProject> {
  const { TIDEMARK_PROJECT: file } = config
  const named = config.TIDEMARK_SOURCE_URL ?? config.TIDEMARK_WAREHOUSE_URL
  const isPlain = file === undefined && named !== undefined && given.isFallback === true
  const loaded = isPlain ? { project: PLAIN_MIRROR, extension: {} } : await openProject(file, given)
  const options = mirrorOptions(config)
  if (options === undefined) return loaded
  const { project } = loaded
  if (project.mirror === undefined) {
    throw new ConfigError(
      `${options.names.join(', ')} cannot be used: ${project.title} is not a mirror`,
      {
        code: 'USAGE',
        hint: 'leave it out; this project declares its own tables and models',
      },
    )
  }
  return { ...loaded, project: { ...project, mirror: { ...project.mirror, ...options.settings } } }
}

/**
 * The project of a config file; the given one if there is no file or it is its own. Throws
 * `ConfigError` for a project that is not valid.
 */
export async function openProject(
  file: string | undefined,
  given: GivenProject,
): Promise<LoadedProject> {
  if (file === undefined || isStandardProject(file, given)) return await given.load()
  return { project: await readProjectFile(file), extension: {} }
}

/**
 * Reads a project from its config file and its folder. Writes nothing. Throws `ConfigError` that
 * begins with the file.
 */
export async function readProjectFile(file: string): Promise<Project> {
  const [{ readConfigFile }, { findProjectFault }, { resolveProject }] = await Promise.all([
    import('./read-config-file.ts'),
    import('./project-schema.ts'),
    import('../../platform/project/resolve-project.ts'),
  ])
  const written = await readConfigFile(file)
  const fault = findProjectFault(written)
  if (fault !== undefined) {
    throw new ConfigError(`${file}: ${fault}`, {
      code: 'PROJECT_INVALID',
      hint: `correct it in ${file}; docs/package.md describes each key`,
    })
  }
  try {
    return resolveProject(written as object, pathToFileURL(`${dirname(resolve(file))}/`))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const { code, hint = '', message } = error
    throw new ConfigError(`${file}: ${message}`, { code, hint, cause: error })
  }
}
