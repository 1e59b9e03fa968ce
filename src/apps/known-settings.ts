import { type AddedSettings, settings } from '../platform/config.ts'
import { ConfigError } from '../platform/errors.ts'
import { nearestName } from '../platform/project/nearest-name.ts'

/** Names that other programs in this repository read: functions on AWS, the deployment, tests. */
const OTHERS = [
  'TIDEMARK_SOURCE_SECRET',
  'TIDEMARK_WAREHOUSE_SECRET',
  'TIDEMARK_WAREHOUSE_READER_SECRET',
  'TIDEMARK_SAVER_SECRET',
  'TIDEMARK_SMTP_SECRET',
  'TIDEMARK_PARAMETERS',
  'TIDEMARK_CHROMIUM',
  'TIDEMARK_REQUIRE_S3',
]
const KNOWN: readonly string[] = [...Object.keys(settings.shape), ...OTHERS]

/** Whether a name is meant for Tidemark, known or not: it begins with `TIDEMARK_`, in any case. */
export function isOwnName(name: string): boolean {
  return /^tidemark[_.-]/i.test(name)
}

/**
 * Refuses names that are meant for Tidemark but that nothing reads. A mistyped name would silently
 * leave its setting at the default. `places` maps each name to the place where it was found. Throws
 * `ConfigError` (`CONFIG_UNKNOWN`) with each name, its place and the nearest setting, never a value.
 */
export function checkNames(places: ReadonlyMap<string, string>, added?: AddedSettings): void {
  const known = [...KNOWN, ...Object.keys(added?.shape ?? {})]
  const faults = [...places].flatMap(([name, place]) => {
    if (known.includes(name)) return []
    const near = nearest(name, known)
    if (!isOwnName(name) && near === undefined) return []
    return [
      `${name} (${place}) is not a setting${near === undefined ? '' : `: did you mean ${near}?`}`,
    ]
  })
  if (faults.length === 0) return
  throw new ConfigError(faults.join('; '), {
    code: 'CONFIG_UNKNOWN',
    hint: 'correct or remove it; docs/configuration.md lists every setting',
  })
}

/** The setting with the nearest name, if it is near. Names that are ours may differ by more letters. */
function nearest(name: string, names: readonly string[]): string | undefined {
  return nearestName(name.replaceAll(/[.-]/g, '_'), names, isOwnName(name) ? 5 : 2)
}
