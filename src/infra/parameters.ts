import { readFileSync } from 'node:fs'
import * as z from 'zod'
import { ConfigError } from '../platform/errors.ts'

const whole = (min: number, max: number) => z.coerce.number().int().min(min).max(max)
/** The command line gives only text. */
const flag = () =>
  z.union([z.boolean(), z.enum(['true', 'false']).transform((value) => value === 'true')])
const https = () => z.url({ protocol: /^https$/, error: 'must be an https:// address' })
const secretName = () => z.string().regex(/^[\w/+=.@-]{1,200}$/, 'must be the name of a secret')

/** The retentions that CloudWatch knows, in days. */
const LOG_DAYS = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653]

/**
 * Everything that differs from one deployment to another. The table in `docs/aws.md` is made from this
 * list. Context (`-c name=value`) overrides the file that `-c parameters=<file.json>` names, and that
 * overrides the default. No parameter is a secret.
 */
const schema = z.object({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,18}[a-z0-9]$/, 'must be 2 to 20 characters of a-z, 0-9 and -')
    .default('tidemark')
    .describe('First part of the name of every stack, function and alarm.'),
  account: z
    .string()
    .regex(/^\d{12}$/, 'must be 12 digits')
    .optional()
    .describe('Account to deploy to. Not set: the account of the credentials in use.'),
  region: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must be a region such as eu-west-2')
    .optional()
    .describe('Region to deploy to. Not set: the region of the credentials in use.'),
  architecture: z
    .enum(['arm64', 'x64'])
    .default('arm64')
    .describe('Processor of the functions. The package must be built for it.'),
  scheduleMinutes: whole(1, 60).default(1).describe('Minutes between the starts of two runs.'),
  workflow: z
    .enum(['express', 'standard'])
    .default('express')
    .describe(
      'Kind of state machine. `standard` keeps the history of each run and gives stages 15 minutes instead of 4, for about 3 dollars more a month.',
    ),
  drop: z
    .string()
    .regex(/^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[\w%=.-]+)*$/, 'must be s3://bucket/prefix')
    .optional()
    .describe(
      'Existing bucket into which others drop files for feeds, with a folder for each feed: `s3://bucket/prefix`.',
    ),
  ratesUrl: https().optional().describe('Address of a server of exchange rates, without its path.'),
  ratesFormat: z
    .enum(['ecb', 'freeforexapi'])
    .default('ecb')
    .describe('Format of its answers; see `TIDEMARK_RATES_FORMAT`.'),
  collectMinutes: whole(1, 240)
    .default(60)
    .describe('Minutes between two collections of files and rates.'),
  reportsFile: z
    .string()
    .regex(/^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[\w%=.-]+)+$/, 'must be s3://bucket/key')
    .optional()
    .describe(
      'File that declares the reports to send by mail, in a bucket of yours: `s3://bucket/key`. Not set: no mail is sent.',
    ),
  mailFrom: z.email('must be an e-mail address').optional().describe('Sender of the reports.'),
  smtpSecret: secretName()
    .default('tidemark/smtp')
    .describe('Secret with the address of the mail server; see `TIDEMARK_SMTP_URL`.'),
  reportsMinutes: whole(1, 60).default(5).describe('Minutes between two looks for due mails.'),
  promiseMinutes: whole(10, 10_080)
    .default(30)
    .describe('How old the warehouse may be, in minutes.'),
  freshnessAlarmMinutes: whole(1, 10_080)
    .optional()
    .describe(
      'Age of the warehouse, in minutes, that raises the alarm: early enough for the mail to arrive within the promise. Not set: half of the promise.',
    ),
  alertEmail: z
    .email('must be an e-mail address')
    .optional()
    .describe('Who gets the alerts. Not set: nobody, and synthesis warns.'),
  logDays: z.coerce
    .number()
    .refine((days) => LOG_DAYS.includes(days), `must be one of ${LOG_DAYS.join(', ')}`)
    .default(30)
    .describe('Days to keep logs in CloudWatch.'),
  accessLogDays: whole(1, 3653)
    .default(90)
    .describe('Days to keep the access logs of the buckets.'),
  sourceSecret: secretName()
    .default('tidemark/source')
    .describe('Secret with the connection to the source.'),
  warehouseSecret: secretName()
    .default('tidemark/warehouse')
    .describe('Secret with the connection to the warehouse, as the role that loads.'),
  readerSecret: secretName()
    .default('tidemark/warehouse-reader')
    .describe('Secret with the connection to the warehouse, as the role that reads.'),
  saverSecret: secretName()
    .optional()
    .describe(
      'Secret with the connection to the warehouse, as the role that keeps saved questions; such as `tidemark/saver`. Not set: nothing can be saved.',
    ),
  warehouseSchema: z.string().min(1).default('public').describe('Schema of the star tables.'),
  warehouseReader: z
    .string()
    .min(1)
    .default('tidemark_reader')
    .describe('Role that may read the stars.'),
  runbookUrl: z
    .string()
    .regex(/^[\w/:.-]+$/, 'must be an address or a path')
    .default('docs/runbook.md')
    .describe('Address of the runbook, which every alert names.'),
  dashboard: flag().default(true).describe('Whether to create a dashboard in CloudWatch.'),
  presentation: flag().default(true).describe('Whether to deploy API, login and pages.'),
  oidcIssuer: https().optional().describe('Issuer of tokens. Not set: a new Cognito user pool.'),
  oidcAudience: z
    .string()
    .min(1)
    .optional()
    .describe('Audience that a token from that issuer must name.'),
  oidcClientId: z
    .string()
    .min(1)
    .optional()
    .describe('Client id of the site at that issuer. Not set: the audience.'),
  oidcAuthorizationEndpoint: https()
    .optional()
    .describe("Address at which that issuer's login begins (code flow with PKCE)."),
  oidcTokenEndpoint: https()
    .optional()
    .describe(
      'Address at which that issuer hands out tokens. It must allow requests from the site (CORS).',
    ),
  oidcLogoutUrl: https().optional().describe("Address of that issuer's logout."),
  oidcToken: z
    .enum(['access', 'id'])
    .default('access')
    .describe('Which token the API takes: `id` if the access tokens are not JWTs.'),
  oidcGroupsClaim: z
    .string()
    .min(1)
    .default('groups')
    .describe("Claim with the user's groups in that issuer's tokens."),
  domainName: z
    .string()
    .regex(/^[a-z0-9.-]+\.[a-z]{2,}$/, 'must be a host name')
    .optional()
    .describe('Host name of the pages. Not set: one from CloudFront.'),
  certificateArn: z
    .string()
    .regex(/^arn:aws:acm:us-east-1:\d{12}:certificate\//, 'must be a certificate in us-east-1')
    .optional()
    .describe('Certificate for that host name.'),
  network: flag()
    .default(false)
    .describe('Whether to create a VPC. The functions that talk to the warehouse join it.'),
  natGateways: whole(0, 2)
    .default(0)
    .describe(
      'NAT gateways of the VPC. With one, all functions join the VPC and reach the source from a fixed address.',
    ),
  warehouse: flag().default(false).describe('Whether to create the warehouse: RDS, in the VPC.'),
  databaseClass: z
    .string()
    .regex(/^[a-z0-9]+\.[a-z0-9]+$/, 'must be an instance class such as t4g.micro')
    .default('t4g.micro')
    .describe('Instance class of the warehouse.'),
  databaseGb: whole(20, 65_536)
    .default(20)
    .describe('Storage of the warehouse at first, in GB. It grows by itself to five times that.'),
  databaseMultiAz: flag().default(false).describe('Whether the warehouse has a standby.'),
  databaseBackupDays: whole(1, 35).default(7).describe('Days to keep its backups.'),
  quicksight: flag()
    .default(false)
    .describe('Whether to create QuickSight data sets and dashboards.'),
  quicksightAnalyst: z
    .string()
    .regex(/^arn:aws:quicksight:/, 'must be the ARN of a QuickSight user or group')
    .optional()
    .describe('QuickSight user or group that sees what every analyst may see.'),
  quicksightFinance: z
    .string()
    .regex(/^arn:aws:quicksight:/, 'must be the ARN of a QuickSight user or group')
    .optional()
    .describe('QuickSight user or group that sees what is reserved for one group.'),
  quicksightSecretArn: z
    .string()
    .regex(/^arn:aws:secretsmanager:/, 'must be the ARN of a secret')
    .optional()
    .describe(
      "ARN of the reader's secret, as `scripts/create-secret.js` prints it. The secret must be in the JSON form.",
    ),
  warehouseHost: z
    .string()
    .min(1)
    .optional()
    .describe('Host of a warehouse outside of this deployment, for QuickSight.'),
  warehousePort: whole(1, 65_535).default(5432).describe('Its port.'),
  warehouseDatabase: z.string().min(1).default('warehouse').describe('Name of the database.'),
})

/** The parsed parameters of a deployment. */
export type Parameters = z.infer<typeof schema>

/** The least minutes for an alarm, its mail and its reader. */
const MAIL_MINUTES = 3

/** Minutes over which alarms on runs look back: at least two runs, and at least five. */
export function alarmPeriodMinutes({
  scheduleMinutes,
}: Pick<Parameters, 'scheduleMinutes'>): number {
  return Math.max(5, 2 * scheduleMinutes)
}

/** Age of the warehouse, in minutes, that raises the alarm. */
export function freshnessMinutes(parameters: Parameters): number {
  return parameters.freshnessAlarmMinutes ?? Math.floor(parameters.promiseMinutes / 2)
}

/**
 * Parses parameters. Those given override the file that `parameters` names. Throws `ConfigError` with
 * every parameter that is unknown, invalid or in conflict with others.
 */
export function parseParameters(given: Readonly<Record<string, unknown>> = {}): Parameters {
  const { parameters: file, ...context } = given
  const values = { ...(file === undefined ? {} : readParameterFile(file)), ...context }
  const unknown = Object.keys(values).filter((key) => !Object.hasOwn(schema.shape, key))
  if (unknown.length > 0) {
    throw invalid(unknown.map((key) => `${key}: there is no such parameter`))
  }
  const parsed = schema.safeParse(values)
  if (!parsed.success) {
    throw invalid(parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`))
  }
  const faults = findDisagreements(parsed.data)
  if (faults.length > 0) throw invalid(faults)
  return parsed.data
}

function readParameterFile(file: unknown): Record<string, unknown> {
  try {
    const content: unknown = JSON.parse(readFileSync(String(file), 'utf8'))
    if (typeof content === 'object' && content !== null && !Array.isArray(content)) {
      return content as Record<string, unknown>
    }
  } catch (error) {
    throw new ConfigError(`The parameter file ${String(file)} cannot be read as JSON`, {
      code: 'PARAMETERS_FILE',
      hint: 'see "Parameters" in docs/aws.md',
      cause: error,
    })
  }
  throw invalid([`${String(file)}: must hold one object`])
}

function findDisagreements(parameters: Parameters): string[] {
  const faults: string[] = []
  const check = (isFine: boolean, fault: string): void => {
    if (!isFine) faults.push(fault)
  }
  const raised = freshnessMinutes(parameters) + alarmPeriodMinutes(parameters)
  check(
    raised + MAIL_MINUTES <= parameters.promiseMinutes,
    `freshnessAlarmMinutes: the alarm could be raised after ${raised} minutes, and its mail would not ` +
      `arrive within the promise of ${parameters.promiseMinutes}; lower it or scheduleMinutes`,
  )
  const { oidcIssuer, oidcAudience, oidcAuthorizationEndpoint, oidcTokenEndpoint } = parameters
  const { domainName, certificateArn } = parameters
  const oidc = [oidcIssuer, oidcAudience, oidcAuthorizationEndpoint, oidcTokenEndpoint]
  check(
    new Set(oidc.map((value) => value === undefined)).size === 1,
    'oidcIssuer: goes with oidcAudience, oidcAuthorizationEndpoint and oidcTokenEndpoint, all or none',
  )
  check(
    (domainName === undefined) === (certificateArn === undefined),
    'domainName: goes with certificateArn, both or none',
  )
  check(
    (parameters.reportsFile === undefined) === (parameters.mailFrom === undefined),
    'reportsFile: goes with mailFrom, both or none',
  )
  check(
    parameters.reportsFile === undefined || parameters.presentation,
    'reportsFile: needs presentation=true, because mails lead to the pages',
  )
  check(parameters.network || !parameters.warehouse, 'warehouse: needs network=true')
  check(parameters.network || parameters.natGateways === 0, 'natGateways: needs network=true')
  check(
    !parameters.network || parameters.warehouse || parameters.natGateways > 0,
    'network: from inside it no warehouse can be reached; set warehouse=true or natGateways=1',
  )
  check(
    !parameters.quicksight || parameters.warehouse || parameters.warehouseHost !== undefined,
    'quicksight: needs warehouse=true or warehouseHost',
  )
  check(
    !parameters.quicksight || parameters.quicksightAnalyst !== undefined,
    'quicksight: needs quicksightAnalyst, because otherwise nobody can see it',
  )
  check(
    !parameters.quicksight || parameters.quicksightSecretArn !== undefined,
    'quicksight: needs quicksightSecretArn to log in to the warehouse',
  )
  return faults
}

function invalid(faults: readonly string[]): ConfigError {
  return new ConfigError(`Invalid parameters: ${faults.join('; ')}`, {
    code: 'PARAMETERS_INVALID',
    hint: 'see "Parameters" in docs/aws.md',
  })
}

/** The parameters as the Markdown table in `docs/aws.md`. */
export function describeParameters(): string {
  const rows = Object.entries(schema.shape).map(([name, type]) => {
    const standard = (type as z.ZodType).safeParse(undefined).data
    const description = type.description ?? (type as z.ZodDefault<z.ZodType>).unwrap().description
    return `| \`${name}\` | ${standard === undefined ? '' : `\`${JSON.stringify(standard).replaceAll('"', '')}\``} | ${description} |`
  })
  return ['| parameter | default | what it is |', '|---|---|---|', ...rows].join('\n')
}
