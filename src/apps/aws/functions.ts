/** What a function may use. The deployment (`src/infra`) and the tests take it from here. */
export interface FunctionLimits {
  /** File and export within the package. */
  readonly handler: string
  /** Every 1769 MB bring one vCPU. */
  readonly memoryMb: number
  readonly timeoutSeconds: number
  /** Size of `/tmp`, for the files of one table on their way and what DuckDB spills. */
  readonly scratchMb: number
}

/** The functions by name. Lambda ends each after 15 minutes at the latest. */
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
  // Ends before another invocation may take over what this one had begun (`LEASE_MS`).
  reports: { handler: 'reports.handler', memoryMb: 512, timeoutSeconds: 540, scratchMb: 512 },
  api: { handler: 'api.handler', memoryMb: 1024, timeoutSeconds: 29, scratchMb: 512 },
} as const satisfies Record<string, FunctionLimits>

/** A function that Tidemark deploys. */
export type FunctionName = keyof typeof FUNCTIONS

/** The runtime of all functions, for which their package is built. */
export const RUNTIME = 'nodejs24.x'

/** A processor that the package can be built for. */
export type Architecture = 'arm64' | 'x64'

/**
 * The setting that names the secret with `TIDEMARK_SMTP_URL`, for the function that sends reports.
 */
export const SMTP_SECRET_SETTING = 'TIDEMARK_SMTP_SECRET'

/**
 * Settings that only functions have, beside those in `docs/configuration.md`. Each names a secret in
 * Secrets Manager that holds a connection string, or the JSON that RDS keeps (`host`, `port`,
 * `dbname`, `username`, `password`).
 */
export const SECRET_SETTINGS = {
  source: 'TIDEMARK_SOURCE_SECRET',
  warehouse: 'TIDEMARK_WAREHOUSE_SECRET',
  reader: 'TIDEMARK_WAREHOUSE_READER_SECRET',
  saver: 'TIDEMARK_SAVER_SECRET',
} as const
