import { randomBytes } from 'node:crypto'
import * as fs from 'node:fs'
import pg from 'pg'
import { ConfigError } from '../../platform/errors.ts'
import { ACTING_FUNCTIONS } from '../../platform/presentation/statement-guard.ts'
import type { EmbeddedPostgres } from './embedded-postgres.ts'
import type { SimulatedSource } from './simulated-source.ts'

/** Connection strings for the embedded databases, each with a role that may do only its work. */
export interface PreparedDatabases {
  /** As `tidemark_source`, which reads the tables of the source and nothing else. */
  sourceUrl: string
  /** As `tidemark_loader`, which owns the database `warehouse`. */
  warehouseUrl: string
  /**
   * As `tidemark_reader`, which may connect to `warehouse` and read what the loader grants it. It
   * may not run functions that write, lock, notify, wait or reach other sessions, except
   * `pg_cancel_backend`, with which the server stops its own questions.
   */
  readerUrl: string
  /**
   * As `tidemark_saver`, which may connect to `warehouse` and owns the schema `tidemark_saver` in
   * it. Nobody else may use that schema.
   */
  saverUrl: string
  /** As the superuser on the source, to fill it and to let it live. */
  adminUrl: string
}

const roles = ['tidemark_source', 'tidemark_loader', 'tidemark_reader', 'tidemark_saver'] as const
type Role = (typeof roles)[number]
type Passwords = Record<Role, string>

/** What databases are prepared for. */
export interface PrepareOptions {
  readonly source: Pick<SimulatedSource, 'database' | 'prepare'>
  readonly passwordsFile: string
}

/**
 * Creates what is missing: the source's database (empty, with its tables) and `warehouse`, and the
 * four roles, each with only the rights its work needs. Sets their passwords to those in
 * `passwordsFile`, which it creates with mode 0600, and completes if an earlier version made it for
 * fewer roles. May be repeated. Touches no rows. Throws `ConfigError` if that file is damaged.
 */
export async function prepareDatabases(
  postgres: Pick<EmbeddedPostgres, 'url'>,
  { source, passwordsFile }: PrepareOptions,
): Promise<PreparedDatabases> {
  const passwords = readPasswords(passwordsFile)
  await onDatabase(postgres.url('postgres'), async (client) => {
    await prepareCluster(client, { passwords, databases: [source.database, 'warehouse'] })
    await client.query(`grant connect on database ${source.database} to tidemark_source`)
  })
  const adminUrl = postgres.url(source.database)
  await onDatabase(adminUrl, (client) => prepareSource(client, source))
  await onDatabase(postgres.url('warehouse'), fillWarehouse)
  return {
    sourceUrl: postgres.url(source.database, 'tidemark_source', passwords.tidemark_source),
    ...warehouseUrls(postgres, passwords),
    adminUrl,
  }
}

/** The same for a cluster that holds the warehouse alone. */
export async function prepareWarehouse(
  postgres: Pick<EmbeddedPostgres, 'url'>,
  { passwordsFile }: Pick<PrepareOptions, 'passwordsFile'>,
): Promise<Pick<PreparedDatabases, 'warehouseUrl' | 'readerUrl' | 'saverUrl'>> {
  const passwords = readPasswords(passwordsFile)
  await onDatabase(postgres.url('postgres'), (client) =>
    prepareCluster(client, { passwords, databases: ['warehouse'] }),
  )
  await onDatabase(postgres.url('warehouse'), fillWarehouse)
  return warehouseUrls(postgres, passwords)
}

function warehouseUrls(
  postgres: Pick<EmbeddedPostgres, 'url'>,
  passwords: Passwords,
): Pick<PreparedDatabases, 'warehouseUrl' | 'readerUrl' | 'saverUrl'> {
  const urlOf = (role: Role): string => postgres.url('warehouse', role, passwords[role])
  return {
    warehouseUrl: urlOf('tidemark_loader'),
    readerUrl: urlOf('tidemark_reader'),
    saverUrl: urlOf('tidemark_saver'),
  }
}

function readPasswords(file: string): Passwords {
  const made = Object.fromEntries(
    roles.map((role) => [role, randomBytes(24).toString('base64url')]),
  ) as Passwords
  const known = fs.existsSync(file) ? parse(fs.readFileSync(file, 'utf8')) : {}
  if (!isKnown(known)) {
    throw new ConfigError(`${file} does not hold the passwords of ${roles.join(', ')}`, {
      code: 'PASSWORDS_FILE',
      hint: `remove ${file}: the next start makes new passwords and sets them`,
    })
  }
  const passwords = { ...made, ...known }
  if (roles.every((role) => known[role] !== undefined)) fs.chmodSync(file, 0o600)
  else replaceFile(file, `${JSON.stringify(passwords, null, 2)}\n`)
  return passwords
}

/** Replaces a file by one that only its owner can read, whole or not at all. */
function replaceFile(file: string, text: string): void {
  const next = `${file}.${process.pid}`
  fs.rmSync(next, { force: true })
  fs.writeFileSync(next, text, { mode: 0o600, flag: 'wx' })
  fs.renameSync(next, file)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Whether an object holds only texts for roles. An earlier version had fewer roles. */
const isKnown = (found: unknown): found is Partial<Passwords> =>
  typeof found === 'object' &&
  found !== null &&
  !Array.isArray(found) &&
  roles.every((role) =>
    ['string', 'undefined'].includes(typeof (found as Partial<Passwords>)[role]),
  )

async function onDatabase<Result>(
  url: string,
  work: (client: pg.Client) => Promise<Result>,
): Promise<Result> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

async function prepareCluster(
  client: pg.Client,
  { passwords, databases }: { passwords: Passwords; databases: readonly string[] },
): Promise<void> {
  for (const role of roles) {
    const { rowCount } = await client.query('select from pg_roles where rolname = $1', [role])
    if (rowCount === 0) await client.query(`create role ${role}`)
    const rights = 'login nosuperuser nocreatedb nocreaterole noreplication nobypassrls'
    await client.query(
      `alter role ${role} with ${rights} password ${pg.escapeLiteral(passwords[role])}`,
    )
  }
  // The SQL of any visitor runs as the reader. Only a superuser can bound the disk that it uses.
  await client.query(`alter role tidemark_reader set temp_file_limit = '1GB'`)
  for (const database of databases) {
    const sql = 'select from pg_database where datname = $1'
    const { rowCount } = await client.query(sql, [database])
    if (rowCount === 0) await client.query(`create database ${database} template template0`)
  }
  await client.query('alter database warehouse owner to tidemark_loader')
  // By default every role may connect to every database and make temporary tables there.
  for (const database of ['postgres', 'template1', ...databases]) {
    await client.query(`revoke all on database ${database} from public`)
  }
  await client.query('grant connect on database warehouse to tidemark_reader, tidemark_saver')
}

async function prepareSource(client: pg.Client, { prepare }: PrepareOptions['source']) {
  await prepare(client)
  await client.query('revoke all on schema public from public')
  await client.query('grant usage on schema public to tidemark_source')
  await client.query('grant select on all tables in schema public to tidemark_source')
  await client.query(
    'alter default privileges in schema public grant select on tables to tidemark_source',
  )
}

/** Before Postgres 15, the owner of a database does not own its schema `public`. */
async function fillWarehouse(client: pg.Client): Promise<void> {
  await client.query('revoke create on schema public from public')
  await client.query('grant all on schema public to tidemark_loader with grant option')
  await client.query(KEEP_FUNCTIONS_FROM_EVERYBODY)
  await client.query('grant execute on function pg_cancel_backend(integer) to tidemark_reader')
  await client.query('create schema if not exists authorization tidemark_saver')
}

/**
 * In the warehouse, only the loader may run functions that act. `set_config` stays open to every
 * role, and so do the validators with which Postgres checks the text of a function.
 */
const KEEP_FUNCTIONS_FROM_EVERYBODY = `do $keep$
declare
    acting text;
begin
    for acting in
        select f.oid::regprocedure::text
        from (${ACTING_FUNCTIONS}) as f
        inner join pg_proc as p on p.oid = f.oid
        where f.is_built_in
            -- Every transaction of ours sets its settings with it, the reader's too.
            and f.name <> 'set_config'
            and not exists (select from pg_language as l where l.lanvalidator = p.oid)
            and exists (
                select
                from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as a
                where a.grantee = 0
            )
    loop
        execute 'revoke execute on function ' || acting || ' from public';
        execute 'grant execute on function ' || acting || ' to tidemark_loader';
    end loop;
end
$keep$`
