import { mkdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { startRateServer } from '../../src/totesys/living/rates.ts'
import type { Deps } from '../../src/platform/deps.ts'
import { examine, type ExamineOptions } from '../../src/platform/inspect/doctor.ts'
import type { TidemarkError } from '../../src/platform/errors.ts'
import type { Finding } from '../../src/platform/inspect/finding.ts'
import { run } from '../../src/platform/pipeline.ts'
import type { Sums } from '../../src/platform/project/model.ts'
import { diskStore } from '../../src/platform/lake/store/disk-store.ts'
import { s3Store } from '../../src/platform/lake/store/s3-store.ts'
import { diskDrop } from '../../src/platform/source/drop.ts'
import { s3Drop } from '../../src/platform/source/s3-drop.ts'
import { sweep } from '../../src/platform/inspect/sweep.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { rateAnswers } from '../../src/totesys/source/rate-answers.ts'
import { createDatabase } from '../support/database.ts'
import { listKeys } from '../support/lake.ts'
import { expectFaithful, seedTotesys } from '../support/small-totesys.ts'
import { createSystem, prepareSystem, type TestSystem } from '../support/system.ts'

let system: TestSystem
afterEach(async () => {
  vi.unstubAllEnvs()
  await system[Symbol.asyncDispose]()
})

/** The findings that are not ok. */
async function faults(deps: Deps = system.deps, options?: ExamineOptions): Promise<Finding[]> {
  return (await examine(deps, options)).filter(({ ok }) => !ok)
}

/** A role of its own that may log in to the warehouse's database, and the deps of its run. */
async function asLoader(): Promise<{ role: string; deps: Deps }> {
  const role = `${system.warehouse.name}_loader`
  await system.query(`drop role if exists ${role}`)
  await system.query(`create role ${role} login password 'secret'`)
  const url = new URL(system.warehouse.url)
  url.username = role
  url.password = 'secret'
  await system.query(`grant connect on database ${system.warehouse.name} to ${role}`)
  const warehouse = { ...system.deps.warehouse, url: url.href, schema: 'stars' }
  return { role, deps: { ...system.deps, warehouse } }
}

async function dropLoader(role: string): Promise<void> {
  await system.query(`drop owned by ${role} cascade`)
  await system.query(`drop role ${role}`)
}

describe('examine()', () => {
  beforeEach(async () => {
    system = await createSystem()
    await seedTotesys(system.sql)
  })

  it.each<[string, Partial<Sums>, string]>([
    ['a grain with a column twice', { grains: { due: ['paid', 'paid'] } }, 'name paid twice'],
    ['a grain without columns', { grains: { due: [] } }, 'have no columns'],
    ['a sum with a name that the platform uses', { columns: { row_count: '1' } }, 'row_count'],
  ])('finds a project that no run accepts: %s', async (_, change, said) => {
    const { project } = system.deps
    const models = project.models.map((model) =>
      model.table === 'fact_payment' && model.kind === 'fact' && model.sums !== undefined
        ? { ...model, sums: { ...model.sums, ...change } }
        : model,
    )
    const found = await faults({ ...system.deps, project: { ...project, models } })
    expect(found.find(({ what }) => what === 'the project is consistent')).toMatchObject({
      detail: expect.stringContaining(said) as string,
      hint: expect.not.stringContaining('doctor') as string,
    })
  })

  it.each([
    ['a missing column', 'select currency_id, currency_kode from currency', 'currency_kode'],
    ['a syntax error', 'select currency_id from from currency', 'syntax error'],
  ])('finds a model that does not fit the source: %s', async (_, sql, said) => {
    const { project } = system.deps
    const models = project.models.map((model) =>
      model.table === 'dim_currency' ? { ...model, sql } : model,
    )
    const found = await faults({ ...system.deps, project: { ...project, models } })
    expect(found.find(({ what }) => what === 'its models fit the source')).toMatchObject({
      detail: expect.stringMatching(new RegExp(`dim_currency.*${said}`)) as string,
      hint: expect.stringContaining('dim_currency.sql') as string,
    })
  })

  it('I3 leaves probes that no later probe changes, on one disk', async () => {
    const inodes: number[] = []
    for (const store of [system.deps.ingestion, system.deps.processed]) {
      expect(await faults()).toEqual([])
      for (const key of await listKeys(store)) {
        if (!key.startsWith('doctor/')) continue
        const { ino, nlink } = await stat(join(store.location, key))
        expect(nlink, key).toBe(1)
        inodes.push(ino)
      }
    }
    expect(new Set(inodes).size).toBe(inodes.length)
  })

  it('finds no fault if a run goes through, and leaves nothing but probes', async () => {
    expect(await faults()).toEqual([])
    const tables = await system.query(
      `select 1 from pg_class where relnamespace = 'public'::regnamespace`,
    )
    expect(tables).toEqual([])
    await system.run()
    const before = await listKeys(system.deps.ingestion)
    expect(await faults()).toEqual([])
    const probes = (await listKeys(system.deps.ingestion)).filter((key) => !before.includes(key))
    expect(probes).toHaveLength(2)
    expect(probes.every((key) => key.startsWith('doctor/'))).toBe(true)
    await sweep(system.deps, { before: new Date(Date.now() + 60_000), remove: true })
    expect((await listKeys(system.deps.ingestion)).some((key) => key.startsWith('doctor/'))).toBe(
      false,
    )
  })

  it('finds no fault, and a run succeeds, if the loader may create in its schema but not in the database', async () => {
    const { role, deps } = await asLoader()
    await system.query(`
      revoke temporary on database ${system.warehouse.name} from public;
      create schema stars; grant usage, create on schema stars to ${role}`)
    expect(await faults(deps)).toEqual([])
    expect((await run(deps)).failures).toEqual([])
    expect(await faults(deps)).toEqual([])
    await system.sql.query(`
      update sales_order set units_sold = units_sold + 1; update payment set paid = true;
      delete from sales_order where sales_order_id = 3`)
    expect((await run(deps)).failures).toEqual([])
    await system.query('drop table stars.fact_sales_order_current cascade')
    expect((await run(deps)).failures).toEqual([])
    expect((await verify(deps)).isEqual).toBe(true)
    expect(
      await system.query(
        `select has_database_privilege('${role}', current_database(), 'temporary')`,
      ),
    ).toEqual([{ has_database_privilege: false }])
    await dropLoader(role)
  })

  it('names the statement for each right that the loader lacks, one after another', async () => {
    const { role, deps } = await asLoader()
    const asOwner = async (sql: string) => {
      const client = new pg.Client(system.warehouse.url)
      await client.connect()
      await client.query(sql)
      await client.end()
    }
    const fixes: string[] = []
    const fixAll = async (): Promise<void> => {
      for (let turn = 0; turn < 5; turn++) {
        const [fault] = await faults(deps)
        if (fault === undefined) return
        expect(fault.what).toBe('a load succeeds (rehearsed)')
        fixes.push(fault.hint ?? '')
        await asOwner(fault.hint ?? '')
      }
    }
    await fixAll()
    expect(fixes).toEqual([`create schema "stars" authorization "${role}";`])
    expect((await run(deps)).failures).toEqual([])

    fixes.length = 0
    await asOwner(
      `alter table stars.fact_payment owner to ${new URL(system.warehouse.url).username}`,
    )
    await fixAll()
    expect(fixes).toEqual([`alter table "stars"."fact_payment" owner to "${role}";`])
    await system.sql.query('update payment set paid = true')
    expect((await run(deps)).failures).toEqual([])
    await asOwner(`drop schema stars cascade`)
    await dropLoader(role)
  })

  it('finds standard tables that were prepared by another role', async () => {
    const { role, deps } = await asLoader()
    await system.run()
    await system.query(`
      create schema stars; grant usage, create on schema stars to ${role};
      create table stars.dim_design (like dim_design including all)`)
    const [fault] = await faults(deps)
    expect(fault?.hint).toBe(`alter table "stars"."dim_design" owner to "${role}";`)
    await dropLoader(role)
  })

  it('finds a warehouse that cannot hold every text', async () => {
    await using latin = await createDatabase({ template: 'empty' })
    await latin.query('select 1')
    const name = `${latin.name}_latin`
    await system.query(`create database ${name} encoding 'LATIN1' locale 'C' template template0`)
    const url = new URL(system.warehouse.url)
    url.pathname = `/${name}`
    const warehouse = { ...system.deps.warehouse, url: url.href }
    const found = await faults({ ...system.deps, warehouse })
    expect(found[0]).toMatchObject({
      what: 'the warehouse answers',
      detail: expect.stringContaining('LATIN1') as string,
      hint: expect.stringContaining(`encoding 'UTF8'`) as string,
    })
    await system.query(`drop database ${name}`)
  })

  it('takes a warehouse that is read-only by default, as a run does', async () => {
    await system.query(
      `alter database ${system.warehouse.name} set default_transaction_read_only = on`,
    )
    expect(await faults()).toEqual([])
    await system.run()
  })

  it('names the statement that lifts a limit on idle sessions', async () => {
    const { role, deps } = await asLoader()
    await system.query(`create schema stars authorization ${role}`)
    await system.query(`alter role ${role} set idle_session_timeout = '20s'`)
    const [found, ...others] = await faults(deps)
    expect(others).toEqual([])
    expect(found?.detail).toContain('idle for 20 s')
    await system.query(found?.hint ?? '')
    expect(await faults(deps)).toEqual([])
    await dropLoader(role)
  })

  it('names the statements that fix tables of the source, and goes on', async () => {
    const role = `${system.source.name}_reader`
    await system.sql.query(
      `revoke select on staff from ${role}; alter table payment drop constraint payment_pkey`,
    )
    const found = await faults()
    expect(found.map(({ what, hint }) => [what, hint])).toEqual([
      [
        'table staff',
        `grant usage on schema "public" to "${role}"; grant select on "public"."staff" to "${role}";`,
      ],
      ['table payment', expect.stringContaining('add primary key ("payment_id")') as string],
    ])
    expect(found[1]?.note).toContain('keyIsUnenforced: true')
    // A statement and nothing else.
    for (const { hint } of found) await system.sql.query(hint ?? '')
    expect(await faults()).toEqual([])
  })

  it('I15 goes on after a table that the source cannot plan to read', async () => {
    await system.sql.query(`
      alter table staff rename to staff_before;
      create view staff as select *, 1 / 0 as broken from staff_before;
      grant select on staff to public`)
    const found = await faults()
    expect(found.map(({ what }) => what)).toEqual(['table staff'])
    expect(found[0]?.detail).toContain('22012')
  })

  it('names the statements for a user who may read nothing, or not even connect', async () => {
    const role = `${system.source.name}_reader`
    await system.sql.query(`
      revoke select on all tables in schema public from ${role};
      revoke all on schema public from public, ${role};
      revoke connect on database ${system.source.name} from public, ${role}`)
    for (const statement of ['grant connect on database', 'grant usage on schema "public"']) {
      const [found, ...others] = await faults()
      expect(others).toEqual([])
      expect(found?.hint).toContain(statement)
      await system.sql.query(found?.hint ?? '')
    }
    expect(await faults()).toEqual([])
  })

  it('names the statement that lets it tell restores of the source apart', async () => {
    await system.sql.query('revoke execute on function pg_control_system() from public')
    const [source] = await examine(system.deps)
    const role = `${system.source.name}_reader`
    expect(source).toMatchObject({
      ok: true,
      hint: `grant execute on function pg_control_system(), pg_control_checkpoint() to "${role}";`,
    })
  })

  it('finds a store that lets two writers create one object', async () => {
    const lax = { ...system.deps.processed, putIfAbsent: async () => 'created' as const }
    const [fault] = await faults({ ...system.deps, processed: lax })
    expect(fault).toMatchObject({
      what: 'the processed zone can be written',
      detail: expect.stringContaining('two writers') as string,
    })
    const full = { ...system.deps.processed, putIfAbsent: () => Promise.reject(new Error('full')) }
    expect((await faults({ ...system.deps, processed: full }))[0]?.detail).toBe('full')
  })

  it('says what the dashboard needs, and whether it can read', async () => {
    const reader = system.deps.warehouse
    const { username, host, pathname } = new URL(system.warehouse.readerUrl)
    const known = { ...reader, readerRole: username }
    const own = (await examine({ ...system.deps, warehouse: known }, { reader })).find(({ what }) =>
      what.includes('dashboard'),
    )
    // The role exists already, so the setting alone is missing.
    expect(own).toMatchObject({
      ok: true,
      unchecked: true,
      hint: `set TIDEMARK_WAREHOUSE_READER_URL=postgresql://${username}:…@${host}${pathname}`,
    })
    const unmade = { ...reader, readerRole: 'nobody yet' }
    const other = (await examine({ ...system.deps, warehouse: unmade }, { reader })).find(
      ({ what }) => what.includes('dashboard'),
    )
    expect(other).toMatchObject({
      unchecked: true,
      hint: `create role "nobody yet" login password '…';`,
      note: expect.stringMatching(
        /^then set TIDEMARK_WAREHOUSE_READER_URL=postgresql:\/\/nobody%20yet:…@/,
      ) as string,
    })
    await system.run()
    const url = system.warehouse.readerUrl
    const [excess] = await faults(system.deps, { reader: { ...reader, url } })
    expect(excess).toMatchObject({
      what: 'the dashboard can read the warehouse',
      detail: expect.stringMatching(
        /^batch 1; but nothing limits the disk space.*; it may run/,
      ) as string,
    })
    // All statements can be pasted together.
    await system.query(excess?.hint ?? '')
    expect(await faults(system.deps, { reader: { ...reader, url } })).toEqual([])
    await system.query(`revoke select on tidemark_status from ${new URL(url).username}`)
    const [fault] = await faults(system.deps, { reader: { ...reader, url } })
    expect(fault?.what).toBe('the dashboard can read the warehouse')
  })

  it('prints a statement to paste for each right that the reader should not have', async () => {
    await system.run()
    const url = system.warehouse.readerUrl
    const reader = { ...system.deps.warehouse, url }
    const name = new URL(url).username
    const administrator = await system.warehouse.client()
    await administrator.query(`alter role ${name} reset temp_file_limit`)
    const [fault] = await faults(system.deps, { reader })
    expect(fault?.detail).toContain('nothing limits the disk')
    await administrator.query(fault?.hint ?? '')
    expect(await faults(system.deps, { reader })).toEqual([])
  })

  it('prints one statement after another to type, until the dashboard can read', async () => {
    await system.run()
    const url = system.warehouse.readerUrl
    const role = new URL(url).username
    const reader = { ...system.deps.warehouse, url }
    await system.query(`
      create table aside (id int); grant insert on aside to ${role};
      revoke usage on schema public from public, ${role}`)
    for (const wanted of [/^grant usage on schema "public"/, /;/]) {
      const [fault, ...others] = await faults(system.deps, { reader })
      expect(others).toEqual([])
      expect(fault?.hint).toMatch(wanted)
      await system.query(fault?.hint ?? '')
    }
    expect(await faults(system.deps, { reader })).toEqual([])
  })

  it('lets the next run restore a right that the dashboard has lost', async () => {
    await system.run()
    const url = system.warehouse.readerUrl
    const role = new URL(url).username
    const deps = { ...system.deps, warehouse: { ...system.deps.warehouse, readerRole: role } }
    expect((await run(deps)).failures).toEqual([])
    await system.query(`revoke select on fact_payment_current from ${role}`)
    expect((await run(deps)).failures).toEqual([])
    expect(
      await system.query(`select has_table_privilege('${role}', 'fact_payment_current', 'select')`),
    ).toEqual([{ has_table_privilege: true }])
  })

  it('gives each failed check a next step if nothing can be reached', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'none')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'none')
    vi.stubEnv('AWS_REGION', 'eu-west-2')
    const away = { bucket: 'away', prefix: '', endpoint: 'http://127.0.0.1:1', attempts: 1 }
    await using ingestion = s3Store(away)
    await using drop = s3Drop(away)
    const file = join(system.folder, 'file')
    await writeFile(file, '')
    const url = 'postgresql://someone:secret@127.0.0.1:1/away'
    const reader = { ...system.deps.warehouse, url: `${url}?reader` }
    const server = { url: new URL('http://127.0.0.1:1/'), format: rateAnswers.ecb, everyMs: 1 }
    const deps: Deps = {
      ...system.deps,
      source: { ...system.deps.source, url },
      ingestion,
      processed: diskStore(file),
      feeds: { drop, servers: [server] },
    }
    const found = [
      ...(await faults(deps)),
      ...(await faults({ ...deps, warehouse: { ...system.deps.warehouse, url } }, { reader })),
      ...(await faults({ ...deps, feeds: { drop: diskDrop(file) } })),
    ]
    expect(new Set(found.map(({ what }) => what))).toEqual(
      new Set([
        'Totesys answers',
        'the warehouse answers',
        'the dashboard can read the warehouse',
        'the ingestion zone can be written',
        'the processed zone can be written',
        'lake and warehouse belong together',
        'the dropped files can be read',
        'http://127.0.0.1:1/ answers',
      ]),
    )
    for (const { what, hint } of found) {
      expect(hint, what).toMatch(/TIDEMARK_[A-Z]+|make the directory writable|see above/)
      expect(hint, what).not.toMatch(/^tidemark doctor|the next run|run it again/)
    }
  })

  it('shows the statements with which questions can be saved, and nothing is wrong without', async () => {
    const { deps } = system
    const findSaving = async (url: string | undefined) =>
      (await examine(deps, { saver: { url } })).find(
        ({ what }) => what === 'questions can be saved',
      )
    const shown = await findSaving(undefined)
    expect(shown).toMatchObject({ ok: true, unchecked: true })
    const note = /^then set TIDEMARK_SAVER_URL=(postgresql:.*)$/.exec(shown?.note ?? '')
    // They work for an owner of the database who is not a superuser, as on a hosted server.
    const [role, owner] = [`${system.warehouse.name}_saver`, `${system.warehouse.name}_owner`]
    const sql = (shown?.hint ?? '').replaceAll('tidemark_saver', role).replace('…', 'secret')
    await system.query(`create role ${owner} login createrole password 'secret'`)
    await system.query(`alter database ${system.warehouse.name} owner to ${owner}`)
    await system.query(`set role ${owner}`)
    for (const statement of sql.split(';')) await system.query(statement)
    await system.query('reset role')
    const url = (note?.[1] ?? '').replace('tidemark_saver:…', `${role}:secret`)
    const saved = await findSaving(url)
    expect(saved).toMatchObject({ ok: true, detail: expect.stringMatching(/, 0 saved$/) as string })
    expect(saved?.unchecked).toBeUndefined()
    const found = await faults(deps, { saver: { url: url.replace('secret', 'wrong') } })
    expect(found).toMatchObject([
      { what: 'questions can be saved', hint: 'check TIDEMARK_SAVER_URL' },
    ])
    // The loader could write everything.
    const strong = await faults(deps, { saver: { url: system.warehouse.url } })
    expect(strong).toMatchObject([{ hint: shown?.hint, note: shown?.note }])
    // The ledger tells the server itself which role may write a warehouse.
    for (const table of ['fact_order', 'tidemark_ledger']) {
      await system.query(`create table ${table} (id int); grant insert on ${table} to ${role}`)
      const excess = await findSaving(url)
      expect(excess?.detail).toBe(`Too many rights: it may change ${table}`)
      for (const statement of (excess?.hint ?? '').split(';')) await system.query(statement)
      expect(await findSaving(url)).toMatchObject({ ok: true })
      await system.query(`drop table ${table}`)
    }
    await system.query(`drop owned by ${role} cascade`)
    await system.query(`alter database ${system.warehouse.name} owner to current_user`)
    await system.query(`drop role ${role}`)
    await system.query(`drop owned by ${owner} cascade`)
    await system.query(`drop role ${owner}`)
  })

  it('shows those statements although the warehouse is away', async () => {
    for (const url of ['postgresql://u:p@127.0.0.1:1/marts%20x', 'no url']) {
      const warehouse = { ...system.deps.warehouse, url, attempts: 1 }
      const findings = await examine({ ...system.deps, warehouse }, { saver: { url: undefined } })
      const shown = findings.find(({ what }) => what === 'questions can be saved')
      expect(shown).toMatchObject({ ok: true, unchecked: true })
      expect(shown?.hint).toContain(
        `grant connect on database "${url === 'no url' ? 'warehouse' : 'marts x'}" to`,
      )
    }
  })

  it('says that the folder for dropped files does not exist yet, and how to make it', async () => {
    const folder = join(system.folder, "nobody's folder")
    const findings = await examine({ ...system.deps, feeds: { drop: diskDrop(folder) } })
    expect(findings.find(({ what }) => what === 'the dropped files can be read')).toEqual({
      what: 'the dropped files can be read',
      ok: true,
      unchecked: true,
      detail: `${folder} does not exist yet`,
      hint: `mkdir -p '${folder.replace("'", String.raw`'\''`)}'`,
    })
  })

  it('I14 finds a lake that is not the one the warehouse was loaded from', async () => {
    await system.run()
    await rm(join(system.folder, 'ingestion', 'batch'), { recursive: true })
    const [fault] = await faults()
    expect(fault).toMatchObject({ what: 'lake and warehouse belong together' })
    expect(fault?.detail).toMatch(/ends at batch 0/)
  })

  it('says whether files and rates can be reached', async () => {
    await using rates = await startRateServer({ seed: 1 })
    const drop = join(system.folder, 'drop')
    await mkdir(join(drop, 'exchange_rate'), { recursive: true })
    await writeFile(join(drop, 'exchange_rate', 'a.csv'), 'base\n')
    const past = new Date(Date.now() - 60_000)
    await utimes(join(drop, 'exchange_rate', 'a.csv'), past, past)
    const server = (url: string) => ({ url: new URL(url), format: rateAnswers.ecb, everyMs: 1 })
    const other = { ...server(rates.url), format: rateAnswers.freeforexapi }
    const servers = [server(rates.url), server('http://127.0.0.1:1/'), other]
    const findings = await examine({ ...system.deps, feeds: { drop: diskDrop(drop), servers } })
    expect(findings.slice(-4).map(({ ok, detail }) => [ok, detail])).toEqual([
      [true, `${drop}, 1 file`],
      [true, '2 rows of exchange_rate'],
      [false, expect.stringMatching(/cannot be reached/) as string],
      [false, 'The server does not answer with rows of exchange_rate'],
    ])
  })
})

describe('a warehouse that somebody has changed', () => {
  const loaded = prepareSystem(async ({ sql, run: runOnce }) => {
    await seedTotesys(sql)
    await runOnce()
    await sql.query('update sales_order set units_sold = 11 where sales_order_id = 1')
    await sql.query('delete from sales_order where sales_order_id = 3')
    await runOnce()
    await sql.query('update payment set paid = true')
  })
  beforeEach(async () => {
    system = await loaded.open()
  })
  afterAll(() => loaded[Symbol.asyncDispose]())
  const failure = async () => (await run(system.deps)).failures[0]?.error

  it.each([
    ['current table', 'drop table fact_sales_order_current cascade'],
    ['status', 'drop view tidemark_status'],
    ['history', 'drop view fact_payment_history'],
    ['function', 'drop function fact_payment_as_of_batch'],
    ['lock', 'drop table tidemark_lock'],
    ['column of a current table', 'alter table fact_payment_current drop column paid cascade'],
    ['table of sums', 'drop table fact_payment_by_due cascade'],
    ['view of sums', 'drop view fact_payment_sums_current cascade'],
    ['key of a current table', 'alter table fact_payment_current drop column payment_id cascade'],
    [
      'unique key of a current table',
      'alter table fact_payment_current drop constraint fact_payment_current_pkey',
    ],
    [
      'key of a current table that has another unique index',
      `alter table fact_payment_current drop constraint fact_payment_current_pkey;
       create unique index on fact_payment_current (payment_record_id)`,
    ],
    [
      'key of a current table that has a unique index on more columns',
      `alter table fact_payment_current drop constraint fact_payment_current_pkey;
       create unique index on fact_payment_current (payment_id, payment_record_id)`,
    ],
  ])('gets its %s again, with its rows, and says so', async (_, sql) => {
    await system.query(sql)
    await system.run()
    await expectFaithful(system)
    expect((await verify(system.deps)).isEqual).toBe(true)
    expect(await faults()).toEqual([])
  })

  it('says which relations were made again', async () => {
    await system.query('drop table fact_payment_current cascade')
    await system.run()
    expect(system.entries).toContainEqual({
      event: 'warehouse_restored',
      level: 'alert',
      relations: ['fact_payment_current', 'fact_payment_sums_current'],
    })
  })

  it('keeps a column that was added to a fact, and verify() compares the others', async () => {
    await system.query('alter table fact_payment add column remark text')
    await system.run()
    await system.query(`select * from fact_payment_as_of_batch(2)`)
    expect((await verify(system.deps)).isEqual).toBe(true)
  })

  it.each([
    ['has lost a column', 'drop column paid cascade', 'has lost its column paid'],
    ['has a new column that must not be null', 'add column extra int not null', 'must not be null'],
  ])('stops if a fact %s, and names it', async (_, alteration, said) => {
    // A value for the existing rows, and no default for new ones.
    const sql = `alter table fact_payment ${alteration}`
    const wants = alteration.startsWith('add')
    await system.query(wants ? `${sql} default 1` : sql)
    if (wants) await system.query('alter table fact_payment alter column extra drop default')
    const error = (await failure()) as TidemarkError
    expect(error).toMatchObject({
      code: 'WAREHOUSE_CHANGED',
      message: expect.stringContaining(said) as string,
    })
    if (!wants) return
    await system.query(error.hint?.split('; ')[1] ?? '')
    await system.run()
    await expectFaithful(system)
  })

  it.each(['fact_payment_current', 'fact_payment_by_day', 'fact_payment_revisions'])(
    'stops if %s has a new column that must not be null, and doctor names it too',
    async (table) => {
      await system.query(`alter table ${table} add column extra int not null default 1`)
      await system.query(`alter table ${table} alter column extra drop default`)
      await system.sql.query('update payment set paid = not paid where payment_id = 1')
      const error = (await failure()) as TidemarkError
      expect(error).toMatchObject({
        code: 'WAREHOUSE_CHANGED',
        message: `The warehouse table ${table} has a new column extra that must not be null`,
      })
      expect(await faults()).toMatchObject([{ detail: error.message, hint: error.hint }])
      await system.query(error.hint?.split('; ')[1] ?? '')
      await system.run()
      expect((await verify(system.deps)).isEqual).toBe(true)
      expect(await faults()).toEqual([])
    },
  )

  it('finds a migration that this version does not know, as a run does', async () => {
    await system.query(`insert into tidemark_migration (name, checksum) values ('newer', 'x')`)
    const error = await failure()
    expect(error).toMatchObject({ code: 'WAREHOUSE_NEWER' })
    expect(await faults()).toMatchObject([{ detail: (error as TidemarkError).message }])
  })

  it('waits for no reader if there is nothing to migrate', async () => {
    const reader = await system.warehouse.client()
    await reader.query('begin; select from fact_payment; select from fact_payment_history')
    expect(await faults()).toEqual([])
    await reader.query('commit')
  })

  it('names the statement if a dimension has lost its key', async () => {
    await system.query('alter table dim_staff drop constraint dim_staff_pkey cascade')
    const [found, ...others] = await faults()
    expect(others).toEqual([])
    expect(found?.detail).toContain('dim_staff')
    await system.query(found?.hint ?? '')
    expect(await faults()).toEqual([])
  })

  it('stops the run if a view of the domain is gone, and names it', async () => {
    const [view] = await system.query<{ name: string }>(
      `select name from tidemark_relation as r
       inner join pg_class as c on c.relname = r.name and c.relkind = 'v'
       where name not like 'tidemark%' and name !~ '(history|current)$' limit 1`,
    )
    if (view === undefined) throw new Error('the domain has no view')
    await system.query(`drop view ${view.name} cascade`)
    expect(await failure()).toMatchObject({
      name: 'ConfigError',
      code: 'WAREHOUSE_INCOMPLETE',
      message: expect.stringContaining(view.name) as string,
    })
    expect((await faults())[0]?.detail).toContain(view.name)
  })

  it.each([
    ['the newest row of the ledger is gone', 'delete from tidemark_ledger where batch_id = 2'],
    ['all rows of the ledger are gone', 'delete from tidemark_ledger'],
    [
      'the newest version of a fact is gone',
      'delete from fact_sales_order where sales_record_id = (select max(sales_record_id) from fact_sales_order)',
    ],
  ])(
    'I14 stops the run if %s, so that nothing is loaded, and the doctor says so',
    async (_, sql) => {
      await system.query(sql)
      const before = await system.query('select count(*) from fact_payment')
      expect(await failure()).toMatchObject({
        code: expect.stringMatching(/^WAREHOUSE_/) as string,
      })
      expect(await system.query('select count(*) from fact_payment')).toEqual(before)
      const found = await faults()
      expect(found.length).toBeGreaterThan(0)
    },
  )
})
