/** What a function is given. The drawing of the site (`src/infra`) and the tests take it from here. */
export interface FunctionLimits {
  /** File and export within the package. */
  readonly handler: string
  /** A vCPU comes with every 1769 MB. */
  readonly memoryMb: number
  readonly timeoutSeconds: number
  /** Size of `/tmp`: the files of one table on their way through, and what DuckDB spills. */
  readonly scratchMb: number
}

/** The functions by name. Lambda ends one after 15 minutes at the latest. */
export const FUNCTIONS = {
  extract: {
    handler: 'extract.handler',
    memoryMb: 1769,
    timeoutSeconds: 900,
    scratchMb: 4096,
  },
  collect: {
    handler: 'collect.handler',
    memoryMb: 1769,
    timeoutSeconds: 900,
    scratchMb: 8192,
  },
  transform: {
    handler: 'transform.handler',
    memoryMb: 1769,
    timeoutSeconds: 900,
    scratchMb: 4096,
  },
  load: { handler: 'load.handler', memoryMb: 1024, timeoutSeconds: 900, scratchMb: 4096 },
  api: { handler: 'api.handler', memoryMb: 1024, timeoutSeconds: 29, scratchMb: 512 },
} as const satisfies Record<string, FunctionLimits>

export type FunctionName = keyof typeof FUNCTIONS

/** The only one that Tidemark's package is built for on AWS, newest first. */
export const RUNTIME = 'nodejs24.x'

export type Architecture = 'arm64' | 'x64'

/**
 * Settings that only functions have, beside those of `docs/configuration.md`: each names a secret
 * in Secrets Manager which holds a connection string, or the JSON that RDS keeps
 * (`host`, `port`, `dbname`, `username`, `password`).
 */
export const SECRET_SETTINGS = {
  source: 'TIDEMARK_SOURCE_SECRET',
  warehouse: 'TIDEMARK_WAREHOUSE_SECRET',
  reader: 'TIDEMARK_WAREHOUSE_READER_SECRET',
} as const
