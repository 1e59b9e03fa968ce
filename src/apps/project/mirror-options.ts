import type { Config } from '../../platform/config.ts'
import type { MirrorSettings } from '../../platform/project/mirror-settings.ts'

/** What settings say about a mirror. */
export interface MirrorOptions {
  /** The settings that are given, by name. */
  readonly names: readonly string[]
  readonly settings: MirrorSettings
}

const MIRROR_SETTINGS = [
  'TIDEMARK_SELECT',
  'TIDEMARK_EXCLUDE',
  'TIDEMARK_NEW_TABLES',
  'TIDEMARK_WITHOUT_KEY',
  'TIDEMARK_VIEWS',
] as const satisfies readonly (keyof Config)[]

/** The settings of mirrors; undefined if none is given. */
export function mirrorOptions(config: Config): MirrorOptions | undefined {
  const names = MIRROR_SETTINGS.filter((name) => config[name] !== undefined)
  if (names.length === 0) return undefined
  const {
    TIDEMARK_SELECT: select,
    TIDEMARK_EXCLUDE: exclude,
    TIDEMARK_NEW_TABLES: newTables,
    TIDEMARK_WITHOUT_KEY: withoutKey,
    TIDEMARK_VIEWS: views,
  } = config
  return {
    names,
    settings: {
      ...(select === undefined ? {} : { select: splitPatterns(select) }),
      ...(exclude === undefined ? {} : { exclude: splitPatterns(exclude) }),
      ...(newTables === undefined ? {} : { newTables }),
      ...(withoutKey === undefined ? {} : { withoutKey }),
      ...(views === undefined ? {} : { views: views === 'true' }),
    },
  }
}

/** The patterns in a text, separated by commas or blanks; a part in double quotes may hold both. */
function splitPatterns(text: string): string[] {
  return [...text.matchAll(/(?:"[^"]*"|[^\s,"])+|"/g)].map(([pattern]) => pattern)
}
