import { readFileSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { type AddedSettings, type Config, parseConfig } from '../platform/config.ts'
import { codeOf, ConfigError } from '../platform/errors.ts'
import { type FileSetting, parseEnvFile } from './env-file.ts'
import { checkNames, isOwnName } from './known-settings.ts'
import type { GivenProject } from './project-extension.ts'
import { findNamedProject, findProject, isStandardProject } from './project/find-project.ts'

const ENV_FILE = '.env'

type Values = Readonly<Record<string, string | undefined>>

/** What settings are read from, beside the environment and `.env`. */
export interface ConfigSources {
  readonly flags?: Values
  /** The settings that the project adds. */
  readonly added?: AddedSettings | undefined
  /** The project that comes with Tidemark. What belongs to it is kept in the working directory. */
  readonly given?: Pick<GivenProject, 'folders'>
}

/**
 * Reads the settings, and finds the project. A flag overrides the environment, the environment
 * overrides `.env`, and that overrides the default. `.env` is in the folder of the project that a
 * flag or the environment names, or that is in the working directory or above it; with no such
 * project, in the working directory. Paths in it are relative to its folder. Returns in
 * `TIDEMARK_PROJECT` the config file. Throws `ConfigError` if a project is named that does not exist,
 * if `.env` cannot be read to its end, and for a `TIDEMARK_…` name that is not a setting.
 */
export function readConfig(
  environment: Values,
  { flags = {}, added, given }: ConfigSources = {},
): Config {
  const named = flags['TIDEMARK_PROJECT'] || environment['TIDEMARK_PROJECT']
  const outer = findProject(named)
  const folder = folderOf(outer, given)
  const file = readEnvFile(folder)
  const own = Object.entries(environment).filter(([name]) => isOwnName(name))
  checkNames(
    new Map([
      ...[...file].map(
        ([name, { line }]) => [name, `${join(folder, ENV_FILE)}, line ${line}`] as const,
      ),
      ...own.map(([name]) => [name, 'the environment'] as const),
    ]),
    added,
  )
  const written = [...file].map(
    ([name, { value }]) => [name, settle(name, { value, folder })] as const,
  )
  const typed = Object.entries(flags).filter(([, value]) => value !== undefined)
  const values: Values = Object.fromEntries([...written, ...own, ...typed])
  const inner = named ? undefined : values['TIDEMARK_PROJECT']
  const project = inner ? findNamedProject(inner) : outer
  return parseConfig(
    {
      ...values,
      TIDEMARK_PROJECT: project,
      TIDEMARK_HOME: values['TIDEMARK_HOME'] || join(folderOf(project, given), '.tidemark'),
    },
    added,
  )
}

/** The folder that belongs to a project: `.` if there is none of the user's own. */
function folderOf(project: string | undefined, given: ConfigSources['given']): string {
  return project === undefined || isStandardProject(project, given) ? '.' : dirname(project)
}

/** Settings whose values are paths, unless they are addresses. */
const PATHS: readonly string[] = [
  'TIDEMARK_PROJECT',
  'TIDEMARK_HOME',
  'TIDEMARK_INGESTION',
  'TIDEMARK_PROCESSED',
  'TIDEMARK_DROP',
  'TIDEMARK_SCRATCH',
  'TIDEMARK_OIDC_JWKS',
  'TIDEMARK_REPORTS_FILE',
  'TIDEMARK_REPORTS_STATE',
  'TIDEMARK_PG_BIN',
] satisfies readonly (keyof Config)[]

/** The value of a setting in `.env`, as it is seen from the working directory. */
function settle(name: string, { value, folder }: { value: string; folder: string }): string {
  const isPath = PATHS.includes(name) && value !== '' && !/^\w+:/.test(value)
  return isPath && folder !== '.' && !isAbsolute(value) ? resolve(folder, value) : value
}

function readEnvFile(folder: string): ReadonlyMap<string, FileSetting> {
  const path = join(folder, ENV_FILE)
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return new Map()
    throw new ConfigError(`The file ${path} cannot be read`, {
      code: 'CONFIG_FILE',
      hint: 'check its permissions',
      cause: error,
    })
  }
  return parseEnvFile(bytes, { file: path, isOwn: isOwnName })
}
