import { z } from 'zod'
import { ConfigError } from './errors.ts'
import { isLoopback } from './io/loopback.ts'
import { parseZoneAddress, ZONE_ADDRESS } from './lake/store/zone-address.ts'

const text = (description: string) => z.string().min(1).optional().describe(description)

const whole = (description: string, { min, max }: { min: number; max: number }) =>
  z.coerce.number().int().min(min).max(max).describe(description)

/**
 * Every setting, by the name of its environment variable. The only schema there is:
 * `docs/configuration.md` is made from it. Flags override the environment, the environment
 * overrides `.env`, and that the default.
 */
export const settings = z.object({
  TIDEMARK_SOURCE_URL: text(
    'The Postgres to read, `postgresql://user:password@host:5432/totesys`; a user with nothing but `SELECT`. It may be a standby or behind a pooler in transaction mode: docs/databases.md. Not set: an embedded Postgres with a living Totesys.',
  ),
  TIDEMARK_WAREHOUSE_URL: text(
    'The Postgres (14 or newer) to load, as a user who may create tables in the schema. It may be behind a pooler in transaction mode. Not set: the embedded Postgres.',
  ),
  TIDEMARK_WAREHOUSE_SCHEMA: z
    .string()
    .min(1)
    .default('public')
    .describe('Schema of the star tables.'),
  TIDEMARK_WAREHOUSE_READER: z
    .string()
    .min(1)
    .default('tidemark_reader')
    .describe('Role that may read the stars, granted if it exists.'),
  TIDEMARK_WAREHOUSE_READER_URL: text(
    'The warehouse as that role, for everything that only shows. `serve` takes no role that could write. Not set: `TIDEMARK_WAREHOUSE_URL`.',
  ),
  TIDEMARK_HOME: z
    .string()
    .min(1)
    .default('.tidemark')
    .describe('Folder for everything kept on this machine.'),
  TIDEMARK_INGESTION: text(
    'Ingestion zone: a directory, or `s3://bucket/prefix`. Default: `<home>/ingestion`.',
  ),
  TIDEMARK_PROCESSED: text(
    'Processed zone: a directory, or `s3://bucket/prefix`. Default: `<home>/processed`.',
  ),
  TIDEMARK_DROP: text(
    'Where others drop files, in a folder for each feed (`exchange_rate/…`): a directory, or `s3://bucket/prefix`. Not set: `<home>/drop` beside the embedded Totesys, else none.',
  ),
  TIDEMARK_RATES_URL: text(
    'Address of a server of exchange rates, `https://host` or with a path before its own. Not set: the embedded one beside the embedded Totesys, else none.',
  ),
  TIDEMARK_RATES_FORMAT: z
    .enum(['ecb', 'freeforexapi'])
    .default('ecb')
    .describe(
      "What that server answers: `ecb`, the European Central Bank's daily table; `freeforexapi`, live rates.",
    ),
  TIDEMARK_RATES_MINUTES: whole('How often that server is asked.', { min: 1, max: 10_080 }).default(
    60,
  ),
  TIDEMARK_S3_ENDPOINT: text(
    'Address of an S3 server other than AWS, `https://host:port`. Region and credentials are found as the AWS tools find them: `AWS_REGION`, `AWS_PROFILE`, `AWS_ACCESS_KEY_ID` … in the environment (not in `.env`), files in `~/.aws`, the role of the machine.',
  ),
  TIDEMARK_SCRATCH: text('Files on their way through; may be lost. Default: `<home>/scratch`.'),
  TIDEMARK_PROMISE_MINUTES: whole('How old the warehouse may be before `status --check` fails.', {
    min: 1,
    max: 10_080,
  }).default(30),
  TIDEMARK_MEMORY_MB: whole('Memory DuckDB may use before it spills to the scratch folder.', {
    min: 128,
    max: 1_048_576,
  }).default(192),
  TIDEMARK_THREADS: whole('Threads DuckDB may use.', { min: 1, max: 256 }).default(2),
  TIDEMARK_CONNECTIONS: whole('Source connections for a large first read.', {
    min: 1,
    max: 32,
  }).default(2),
  TIDEMARK_LOCK_WAIT_SECONDS: whole('How long a load waits for another run before it gives up.', {
    min: 0,
    max: 3600,
  }).default(10),
  TIDEMARK_BRAKE_PERCENT: whole(
    'More than this share of a table of over 100 rows deleted at once is held back until confirmed.',
    { min: 0, max: 100 },
  ).default(50),
  TIDEMARK_QUARANTINE_PERCENT: whole(
    'A table of which more than this share of over 100 rows in a batch is unfit is held back, instead of each row being put into quarantine.',
    { min: 0, max: 100 },
  ).default(20),
  TIDEMARK_HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe(
      'Address the server listens on. Beyond this machine every request needs a token, so all of `TIDEMARK_OIDC_ISSUER`, `_AUDIENCE` and `_JWKS` must be set.',
    ),
  TIDEMARK_PORT: whole(
    'Port the server listens on; 0 takes a free one. Not set: 4100, and `up` takes a free one when that is taken.',
    { min: 0, max: 65_535 },
  ).optional(),
  TIDEMARK_SERVER_CONNECTIONS: whole(
    'Connections the server keeps open at once. The last fifth is reserved for addresses that have few.',
    { min: 10, max: 100_000 },
  ).default(1000),
  TIDEMARK_SERVER_CONNECTIONS_PER_ADDRESS: whole(
    'How many of them one address may have; for IPv6, one /64 network. Behind a proxy all connections come from its address: set this to the value of `TIDEMARK_SERVER_CONNECTIONS`, and limit clients in the proxy.',
    { min: 1, max: 100_000 },
  ).default(100),
  TIDEMARK_OIDC_ISSUER: text('Who must have issued a token: its claim `iss`, to the letter.'),
  TIDEMARK_OIDC_AUDIENCE: text('Whom a token must be for: its claim `aud`.'),
  TIDEMARK_OIDC_JWKS: text(
    "The issuer's public keys: an `https://` address, or a file read at the start.",
  ),
  TIDEMARK_OIDC_GROUPS_CLAIM: z
    .string()
    .min(1)
    .default('groups')
    .describe(
      'Claim with the groups of whoever asks: `finance` may read the payments, `analyst` everything else.',
    ),
  TIDEMARK_PG_BIN: text(
    'A folder with `postgres` and `initdb` to use instead of the embedded ones.',
  ),
  TIDEMARK_TOTESYS_ORDERS: whole('Sales orders the embedded Totesys is filled with.', {
    min: 1,
    max: 10_000_000,
  }).default(2000),
  TIDEMARK_TOTESYS_SEED: whole('Seed of the embedded Totesys: the same seed, the same company.', {
    min: 0,
    max: 2_147_483_647,
  }).default(42),
  TIDEMARK_TOTESYS_SPEED: whole('Seconds of Totesys life that pass in a second.', {
    min: 1,
    max: 1_000_000,
  }).default(600),
})

export type Config = z.infer<typeof settings>

/**
 * Parses settings. Throws `ConfigError` naming every setting at fault and what it must be; never
 * its value, which may hold a password.
 */
export function parseConfig(values: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''))
  const parsed = settings.safeParse(given)
  if (parsed.success) {
    checkZones(parsed.data)
    return parsed.data
  }
  const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
  throw new ConfigError(`Settings that cannot be used: ${faults.join('; ')}`, {
    code: 'CONFIG_INVALID',
    hint: 'see docs/configuration.md',
  })
}

function checkZones(config: Config): void {
  for (const name of ['TIDEMARK_INGESTION', 'TIDEMARK_PROCESSED'] as const) {
    const address = config[name]
    if (address !== undefined && parseZoneAddress(address) === undefined) {
      throw new ConfigError(`${name} is not the address of a zone`, {
        code: 'CONFIG_ZONE',
        hint: `set ${name} to ${ZONE_ADDRESS}; no credentials, no characters but A-Z a-z 0-9 % = . _ - in the prefix`,
      })
    }
  }
  const { TIDEMARK_DROP: drop, TIDEMARK_RATES_URL: rates } = config
  if (drop !== undefined && parseZoneAddress(drop) === undefined) {
    throw new ConfigError('TIDEMARK_DROP is not the address of a drop', {
      code: 'CONFIG_DROP',
      hint: `set TIDEMARK_DROP to ${ZONE_ADDRESS}`,
    })
  }
  if (rates !== undefined && !isAddress(rates)) {
    throw new ConfigError('TIDEMARK_RATES_URL is not the address of a server', {
      code: 'CONFIG_RATES',
      hint: 'set TIDEMARK_RATES_URL=https://host, without credentials; plain http only on this machine',
    })
  }
  const endpoint = config.TIDEMARK_S3_ENDPOINT
  if (endpoint !== undefined && !isServer(endpoint)) {
    throw new ConfigError('TIDEMARK_S3_ENDPOINT is not the address of a server', {
      code: 'CONFIG_ENDPOINT',
      hint: 'set TIDEMARK_S3_ENDPOINT=https://host:port, without a path or credentials',
    })
  }
}

function isServer(address: string): boolean {
  if (!URL.canParse(address)) return false
  const { protocol, username, password, pathname, search, hash } = new URL(address)
  return /^https?:$/.test(protocol) && `${username}${password}${pathname}${search}${hash}` === '/'
}

/** An address of which nobody on the way can change the answers. */
function isAddress(address: string): boolean {
  if (!URL.canParse(address)) return false
  const { protocol, username, password, hostname } = new URL(address)
  return (
    `${username}${password}` === '' &&
    (protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname)))
  )
}

/** The settings as the Markdown table of `docs/configuration.md`. */
export function describeSettings(): string {
  const rows = Object.entries(settings.shape).map(([name, schema]) => {
    const standard = settings.shape[name as keyof Config].safeParse(undefined).data
    // A default wraps what was described.
    const description =
      schema.description ?? (schema as z.ZodDefault<z.ZodType>).unwrap().description
    return `| \`${name}\` | ${standard === undefined ? '' : `\`${standard}\``} | ${description} |`
  })
  return ['| variable | default | what it is |', '|---|---|---|', ...rows].join('\n')
}
