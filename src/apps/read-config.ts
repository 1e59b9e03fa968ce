import { readFileSync } from 'node:fs'
import { type Config, parseConfig } from '../platform/config.ts'
import { codeOf, ConfigError } from '../platform/errors.ts'
import { type FileSetting, parseEnvFile } from './env-file.ts'
import { checkNames, isOwnName } from './known-settings.ts'

const ENV_FILE = '.env'

/**
 * Reads the settings. A flag overrides the environment, the environment overrides `.env` in the
 * working directory, and that overrides the default. Throws `ConfigError` if `.env` cannot be read
 * to its end, and for a `TIDEMARK_…` name that is not a setting.
 */
export function readConfig(
  environment: Readonly<Record<string, string | undefined>>,
  flags: Readonly<Record<string, string | undefined>> = {},
): Config {
  const file = readEnvFile()
  const own = Object.entries(environment).filter(([name]) => isOwnName(name))
  checkNames(
    new Map([
      ...[...file].map(([name, { line }]) => [name, `${ENV_FILE}, line ${line}`] as const),
      ...own.map(([name]) => [name, 'the environment'] as const),
    ]),
  )
  const written = [...file].map(([name, { value }]) => [name, value] as const)
  const given = Object.entries(flags).filter(([, value]) => value !== undefined)
  return parseConfig(Object.fromEntries([...written, ...own, ...given]))
}

function readEnvFile(): ReadonlyMap<string, FileSetting> {
  let bytes: Buffer
  try {
    bytes = readFileSync(ENV_FILE)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return new Map()
    throw new ConfigError(`The file ${ENV_FILE} cannot be read`, {
      code: 'CONFIG_FILE',
      hint: 'check its permissions',
      cause: error,
    })
  }
  return parseEnvFile(bytes, { file: ENV_FILE, isOwn: isOwnName })
}
