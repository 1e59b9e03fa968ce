import * as z from 'zod'
import { ConfigError } from './errors.ts'
import { isLoopback } from './io/loopback.ts'
import { parseZoneAddress, ZONE_ADDRESS } from './lake/store/zone-address.ts'

const text = (description: string) => z.string().min(1).optional().describe(description)

const choice = <const Values extends readonly [string, ...string[]]>(
  values: Values,
  description: string,
) =>
  z
    .enum(values, { error: `must be ${values.join(' or ')}` })
    .optional()
    .describe(description)

/** A setting that is a whole number within bounds. */
export const whole = (description: string, { min, max }: { min: number; max: number }) => {
  const error = `must be a whole number from ${min} to ${max}`
  return z.coerce.number({ error }).int(error).min(min, error).max(max, error).describe(description)
}

/**
 * Every setting, by the name of its environment variable. `docs/configuration.md` is generated from
 * this schema. A flag overrides the environment, the environment overrides `.env`, and `.env`
 * overrides the default.
 */
export const settings = z.object({
  TIDEMARK_PROJECT: text(
    'The project: its folder, or its config file. Not set: the `tidemark.config.ts` (or `.js`, `.mjs`, `.json`) in the working directory or in the nearest folder above it. With none, every table of the source is mirrored; with no source either, it is the project of the example.',
  ),
  TIDEMARK_SOURCE_URL: text(
    'The Postgres to read, `postgresql://user:password@host:5432/database`. The user needs only `SELECT`. A standby works, and so does a pooler in transaction mode: docs/databases.md. Not set: an embedded Postgres with the simulated source of the project.',
  ),
  TIDEMARK_SELECT: text(
    'For a mirror: the tables and columns to keep, as patterns such as `sales.*` or `public.member.email`, separated by commas or blanks. A name that holds one of these signs, or a dot, is written in double quotes. Not set: what the project says, or all.',
  ),
  TIDEMARK_EXCLUDE: text(
    'For a mirror: the tables and columns to leave out, such as `*.password`. They win over `TIDEMARK_SELECT`.',
  ),
  TIDEMARK_NEW_TABLES: choice(
    ['capture', 'report'],
    'For a mirror: whether a table that appears later is captured, or only reported. Not set: what the project says, or `capture`.',
  ),
  TIDEMARK_WITHOUT_KEY: choice(
    ['keep', 'leave'],
    'For a mirror: whether a table without a key is kept by content, or left out. Not set: what the project says, or `keep`.',
  ),
  TIDEMARK_VIEWS: choice(
    ['true', 'false'],
    'For a mirror: whether views, materialized views and foreign tables are kept too. Not set: what the project says, or `false`.',
  ),
  TIDEMARK_WAREHOUSE_URL: text(
    'The Postgres (14 or newer) to load. The user must be allowed to create tables in the schema. A pooler in transaction mode works. Not set: with a source, the warehouse that `up` has made in the home, or else the lake alone; without a source, the embedded Postgres.',
  ),
  TIDEMARK_WAREHOUSE_SCHEMA: z
    .string()
    .min(1)
    .default('public')
    .describe('Schema of the warehouse tables.'),
  TIDEMARK_WAREHOUSE_READER: z
    .string()
    .min(1)
    .default('tidemark_reader')
    .describe('Role that gets the right to read the warehouse tables, if it exists.'),
  TIDEMARK_WAREHOUSE_READER_URL: text(
    'The warehouse as that role, for the pages, the API, and the commands `history` and `status`. `serve` refuses a role that can write. Not set: `TIDEMARK_WAREHOUSE_URL`.',
  ),
  TIDEMARK_SAVER_URL: text(
    'The database as the role that keeps saved questions, `postgresql://tidemark_saver:password@host:5432/warehouse`. The role owns one schema that bears its name, and needs no other right; `tidemark doctor` shows how to create it. Not set: with an embedded warehouse, its own Postgres; otherwise nothing can be saved.',
  ),
  TIDEMARK_HOME: z
    .string()
    .min(1)
    .default('.tidemark')
    .describe(
      'Folder for everything that Tidemark keeps on this machine. With a project of your own, the default is `.tidemark` in its folder.',
    ),
  TIDEMARK_INGESTION: text(
    'Ingestion zone: a directory, or `s3://bucket/prefix`. Default: `<home>/ingestion`.',
  ),
  TIDEMARK_PROCESSED: text(
    'Processed zone: a directory, or `s3://bucket/prefix`. Default: `<home>/processed`.',
  ),
  TIDEMARK_DROP: text(
    'Where others drop files, with a folder for each feed: a directory, or `s3://bucket/prefix`. Not set: `<home>/drop` with the embedded source, otherwise none.',
  ),
  TIDEMARK_S3_ENDPOINT: text(
    'Address of an S3 server other than AWS, `https://host:port`. Tidemark finds region and credentials where the AWS tools find them: `AWS_REGION`, `AWS_PROFILE`, `AWS_ACCESS_KEY_ID` … in the environment (not in `.env`), the files in `~/.aws`, or the role of the machine.',
  ),
  TIDEMARK_SCRATCH: text(
    'Folder for temporary files, which may be lost. Default: `<home>/scratch`.',
  ),
  TIDEMARK_PROMISE_MINUTES: whole(
    'Minutes that the warehouse may be behind before `status --check` fails.',
    {
      min: 1,
      max: 10_080,
    },
  ).default(30),
  TIDEMARK_MEMORY_MB: whole(
    'Megabytes of memory that DuckDB may use before it spills to the scratch folder.',
    {
      min: 128,
      max: 1_048_576,
    },
  ).default(192),
  TIDEMARK_THREADS: whole('Threads that DuckDB may use.', { min: 1, max: 256 }).default(2),
  TIDEMARK_CONNECTIONS: whole('Connections to the source for reading a large table as a whole.', {
    min: 1,
    max: 32,
  }).default(2),
  TIDEMARK_LOCK_WAIT_SECONDS: whole(
    'Seconds that a load waits for another run before it gives up.',
    {
      min: 0,
      max: 3600,
    },
  ).default(10),
  TIDEMARK_BRAKE_PERCENT: whole(
    'If more than this share of a table with over 100 rows is deleted at once, the deletions are held until you confirm them.',
    { min: 0, max: 100 },
  ).default(50),
  TIDEMARK_QUARANTINE_PERCENT: whole(
    'If a batch has over 100 rows of a table and more than this share of them is refused, the whole table is held. Otherwise only the refused rows go to quarantine.',
    { min: 0, max: 100 },
  ).default(20),
  TIDEMARK_HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe(
      'Address on which the server listens. If other machines can reach it, every request needs a token, so `TIDEMARK_OIDC_ISSUER`, `_AUDIENCE` and `_JWKS` must all be set.',
    ),
  TIDEMARK_PORT: whole(
    'Port on which the server listens; 0 picks a free one. Not set: 4100, and `up` picks a free one if 4100 is taken.',
    { min: 0, max: 65_535 },
  ).optional(),
  TIDEMARK_SERVER_CONNECTIONS: whole(
    'Connections that the server keeps open at once. The last fifth is reserved for addresses with few connections.',
    { min: 10, max: 100_000 },
  ).default(1000),
  TIDEMARK_SERVER_CONNECTIONS_PER_ADDRESS: whole(
    'How many of those connections one address may have; for IPv6, one /64 network. Behind a proxy all connections come from its address: set this to the value of `TIDEMARK_SERVER_CONNECTIONS`, and limit clients in the proxy.',
    { min: 1, max: 100_000 },
  ).default(100),
  TIDEMARK_OIDC_ISSUER: text('Issuer of the tokens, exactly as in their claim `iss`.'),
  TIDEMARK_OIDC_AUDIENCE: text('Audience of the tokens, as in their claim `aud`.'),
  TIDEMARK_OIDC_JWKS: text(
    "The issuer's public keys: an `https://` address, or a file that is read at the start.",
  ),
  TIDEMARK_OIDC_GROUPS_CLAIM: z
    .string()
    .min(1)
    .default('groups')
    .describe(
      'Claim that holds the groups of a user. The group `analyst` may read everything but what the project reserves for another group.',
    ),
  TIDEMARK_REPORTS_FILE: text(
    'File that declares which pages, questions and saved questions to send by mail, and which figures to watch: a path, or `s3://bucket/key`. See docs/reports.md. Not set: no mail is sent.',
  ),
  TIDEMARK_REPORTS_STATE: text(
    'Where Tidemark records what it sent: a directory, or `s3://bucket/prefix`. Processes that share it send each mail once. Default: `<home>/reports`.',
  ),
  TIDEMARK_SMTP_URL: text(
    'Mail server, `smtp://user:password@host:587` (STARTTLS is required, except on this machine) or `smtps://user:password@host:465`.',
  ),
  TIDEMARK_MAIL_FROM: text(
    'Sender of the mails: `reports@example.org`, or `Tidemark <reports@example.org>`.',
  ),
  TIDEMARK_ALERT_TO: text(
    'Who gets alerts by mail: one address or several, separated by commas or blanks. Needs `TIDEMARK_SMTP_URL` and a sender. See docs/alerts.md. Not set: no alert is mailed.',
  ),
  TIDEMARK_ALERT_FROM: text(
    'Sender of alerts: `tidemark@example.org`, or `Tidemark <tidemark@example.org>`. Not set: `TIDEMARK_MAIL_FROM`.',
  ),
  TIDEMARK_ALERT_WEBHOOK: text(
    'Where to post alerts as `{ "text": … }`, as Slack and Mattermost take them: `https://…`; plain http only on this machine. Keep the address secret. Not set: none is posted.',
  ),
  TIDEMARK_PAGES_URL: text(
    'Address under which people open the pages, for links in mails: `https://host`. Not set: the address on this machine.',
  ),
  TIDEMARK_PG_BIN: text(
    'A folder with `postgres` and `initdb` to use instead of the embedded ones.',
  ),
})

/** Valid settings, with every default filled in. */
export type Config = z.infer<typeof settings>

/** The schema of each setting, by the name of its environment variable. */
export type SettingsShape = Readonly<Record<string, z.ZodType<string | number | undefined>>>

/** Settings that a project adds to those of the platform. */
export interface AddedSettings {
  readonly shape: SettingsShape
  /** Throws `ConfigError` for the first value that is not valid, beyond what the schemas say. */
  check(config: Config): void
}

/**
 * Parses settings; an empty value counts as not set. What a project adds is in the result too. Throws
 * `ConfigError` that names each invalid setting and what it must be, but never a value, because a
 * value may hold a password.
 */
export function parseConfig(
  values: Readonly<Record<string, string | undefined>>,
  added?: AddedSettings,
): Config {
  const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ''))
  const own = settings.safeParse(given)
  const others = z.object(added?.shape ?? {}).safeParse(given)
  if (own.success && others.success) {
    const config = { ...others.data, ...own.data }
    checkZones(config)
    checkMail(config)
    checkAlerts(config)
    added?.check(config)
    return config
  }
  const issues = [own, others].flatMap(({ error }) => error?.issues ?? [])
  const problems = issues.map((issue) => `${issue.path.join('.')} ${issue.message}`)
  throw new ConfigError(`Invalid settings: ${[...new Set(problems)].join('; ')}`, {
    code: 'CONFIG_INVALID',
    hint: 'correct them; docs/configuration.md lists every setting',
  })
}

/** Throws `ConfigError` for the first address that is not of the kind its setting needs. */
function checkZones(config: Config): void {
  for (const name of ['TIDEMARK_INGESTION', 'TIDEMARK_PROCESSED'] as const) {
    const address = config[name]
    if (address !== undefined && parseZoneAddress(address) === undefined) {
      throw new ConfigError(`${name} is not the address of a zone`, {
        code: 'CONFIG_ZONE',
        hint: `set ${name} to ${ZONE_ADDRESS}, without credentials; a prefix may hold A-Z a-z 0-9 % = . _ - and /`,
      })
    }
  }
  const { TIDEMARK_DROP: drop } = config
  if (drop !== undefined && parseZoneAddress(drop) === undefined) {
    throw new ConfigError('TIDEMARK_DROP is not the address of a drop', {
      code: 'CONFIG_DROP',
      hint: `set TIDEMARK_DROP to ${ZONE_ADDRESS}`,
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

/** An address, or a name with the address in brackets. */
const SENDER = /^([^<>"\p{Cc}]*<[^\s<>"@,;]+@[^\s<>"@,;]+>|[^\s<>"@,;]+@[^\s<>"@,;]+)$/u

/** Throws `ConfigError` for the first setting of mails that is not valid. */
function checkMail(config: Config): void {
  const {
    TIDEMARK_REPORTS_FILE: file,
    TIDEMARK_REPORTS_STATE: state,
    TIDEMARK_SMTP_URL: smtp,
    TIDEMARK_MAIL_FROM: from,
    TIDEMARK_PAGES_URL: pages,
  } = config
  const check = (isFine: boolean, name: keyof Config, hint: string): void => {
    if (isFine) return
    throw new ConfigError(`${name} is not valid`, {
      code: 'CONFIG_MAIL',
      hint: `set it to ${hint}`,
    })
  }
  const place = file === undefined ? undefined : parseZoneAddress(file)
  check(
    file === undefined || place?.kind === 'directory' || (place?.prefix ?? '') !== '',
    'TIDEMARK_REPORTS_FILE',
    'the path of a file, or s3://bucket/key',
  )
  check(
    state === undefined || parseZoneAddress(state) !== undefined,
    'TIDEMARK_REPORTS_STATE',
    ZONE_ADDRESS,
  )
  const zones = [config.TIDEMARK_INGESTION, config.TIDEMARK_PROCESSED]
  check(
    state === undefined || !zones.some((zone) => zone !== undefined && isWithin(state, zone)),
    'TIDEMARK_REPORTS_STATE',
    'a place outside both zones; inside them, `lake sweep` would remove it',
  )
  check(
    smtp === undefined || isMailServer(smtp),
    'TIDEMARK_SMTP_URL',
    'smtp://user:password@host:587 or smtps://user:password@host:465; in the password, write @ as %40, and so on',
  )
  check(
    from === undefined || SENDER.test(from),
    'TIDEMARK_MAIL_FROM',
    'reports@example.org or Tidemark <reports@example.org>',
  )
  check(
    pages === undefined || isAddress(pages),
    'TIDEMARK_PAGES_URL',
    'https://host; plain http only on this machine',
  )
}

/** Throws `ConfigError` (`CONFIG_ALERTS`) for the first setting of alerts that is not valid or missing. */
function checkAlerts(config: Config): void {
  const { TIDEMARK_ALERT_TO: to, TIDEMARK_ALERT_FROM: from } = config
  const hook = config.TIDEMARK_ALERT_WEBHOOK
  const sender = from ?? config.TIDEMARK_MAIL_FROM
  const check = (isFine: boolean, what: string, hint: string): void => {
    if (!isFine) throw new ConfigError(what, { code: 'CONFIG_ALERTS', hint })
  }
  const areFine = to?.split(/[\s,]+/).every((each) => z.email().safeParse(each).success) ?? true
  check(areFine, 'TIDEMARK_ALERT_TO is not valid', 'set it to addresses, separated by commas')
  const isFrom = from === undefined || SENDER.test(from)
  check(isFrom, 'TIDEMARK_ALERT_FROM is not valid', 'set it to Tidemark <tidemark@example.org>')
  const isHook = hook === undefined || isAddress(hook)
  check(isHook, 'TIDEMARK_ALERT_WEBHOOK is not valid', 'set it to an https:// address')
  const isOff = to === undefined
  const missing = (name: string) =>
    [`Alerts need ${name}`, `set ${name}; see docs/alerts.md`] as const
  check(isOff || config.TIDEMARK_SMTP_URL !== undefined, ...missing('TIDEMARK_SMTP_URL'))
  check(isOff || sender !== undefined, ...missing('TIDEMARK_ALERT_FROM'))
  check(!isOff || from === undefined, ...missing('TIDEMARK_ALERT_TO'))
}

/** Whether one place is another one or lies below it. */
function isWithin(address: string, zone: string): boolean {
  const [inner, outer] = [parseZoneAddress(address), parseZoneAddress(zone)].map((place) =>
    place?.kind === 'bucket' ? `s3://${place.bucket}/${place.prefix}` : place?.path,
  )
  if (inner === undefined || outer === undefined) return false
  return `${inner}/`.startsWith(outer.endsWith('/') ? outer : `${outer}/`)
}

/** Whether an address names a mail server, without a path. */
function isMailServer(address: string): boolean {
  if (!URL.canParse(address)) return false
  const { protocol, hostname, username, password, pathname, search, hash } = new URL(address)
  return (
    /^smtps?:$/.test(protocol) &&
    hostname !== '' &&
    canDecode(username + password) &&
    /^\/?$/.test(pathname) &&
    search + hash === ''
  )
}

function canDecode(part: string): boolean {
  try {
    decodeURIComponent(part)
    return true
  } catch {
    return false
  }
}

/** Whether an address is a server without a path, a query or credentials. */
function isServer(address: string): boolean {
  if (!URL.canParse(address)) return false
  const { protocol, username, password, pathname, search, hash } = new URL(address)
  return /^https?:$/.test(protocol) && `${username}${password}${pathname}${search}${hash}` === '/'
}

/** Whether nobody in between can change the answers from an address: https, or this machine. */
export function isAddress(address: string): boolean {
  if (!URL.canParse(address)) return false
  const { protocol, username, password, hostname } = new URL(address)
  return (
    `${username}${password}` === '' &&
    (protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname)))
  )
}

/** Renders settings as a Markdown table for `docs/configuration.md`. */
export function describeSettings(shape: SettingsShape = settings.shape): string {
  const rows = Object.entries(shape).map(([name, schema]) => {
    const standard = schema.safeParse(undefined).data
    // A default wraps the schema that has the description.
    const description =
      schema.description ?? (schema as z.ZodDefault<z.ZodType>).unwrap().description
    return `| \`${name}\` | ${standard === undefined ? '' : `\`${standard}\``} | ${description} |`
  })
  return ['| variable | default | what it is |', '|---|---|---|', ...rows].join('\n')
}
