import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type CommandResult, tidemark } from '../support/command.ts'
import type { TestDatabase } from '../support/database.ts'
import { createWorkplace, fillShop, type Workplace } from '../support/workplace.ts'

describe('tidemark plan', () => {
  let workplace: Workplace
  let source: TestDatabase
  let warehouse: TestDatabase

  beforeEach(async () => {
    workplace = await createWorkplace()
    ;({ source, warehouse } = workplace)
    await fillShop(source)
  })
  afterEach(() => workplace[Symbol.asyncDispose]())

  const command = async (
    line: string,
    { url = warehouse.url, ...world }: { url?: string; isTTY?: boolean } = {},
  ): Promise<CommandResult> =>
    await tidemark(line.split(' '), {
      env: { TIDEMARK_SOURCE_URL: source.readerUrl, TIDEMARK_WAREHOUSE_URL: url },
      ...world,
    })
  const succeed = async (line: string, world: { url?: string; isTTY?: boolean } = {}) => {
    const { code, out, err } = await command(line, world)
    expect(code, out + err).toBe(0)
    return out
  }
  /** The connection string of a role without rights to create anything. */
  const roleUrl = async (rights: string): Promise<string> => {
    const role = `${warehouse.name}_weak`
    const client = await warehouse.client()
    await client.query(
      `create role ${role} login password 'weak'; ${rights.replaceAll('$role', role)}`,
    )
    const url = new URL(warehouse.url)
    url.username = role
    url.password = 'weak'
    return url.href
  }
  const dropRole = async (): Promise<void> => {
    const role = `${warehouse.name}_weak`
    const client = await warehouse.client()
    await client.query(`drop owned by ${role} cascade; drop role ${role}`)
  }

  it('shows a star before the first run, a changed model, and nothing after the run', async () => {
    await succeed('init shop --star --yes')
    const first = await succeed('plan --project shop')
    expect(first).toContain('migrations   platform/001_ledger.sql, ')
    expect(first).toContain(
      '  dim_customer   dimension   created\n    + customer_id bigint not null\n',
    )
    expect(first).toContain('    + PRIMARY KEY (customer_id)\n')
    expect(first).toMatch(/\+ FOREIGN KEY \(customer_id\) REFERENCES dim_customer\(customer_id\)/)
    expect(first).toContain(
      'Nothing was changed.   Next: tidemark run · every statement: tidemark plan --sql',
    )
    expect(
      await warehouse.query('select 1 from pg_class where relname like $1', ['tidemark%']),
    ).toEqual([])
    await succeed('run --project shop')
    expect(await succeed('plan --project shop')).toBe(
      '  Nothing to plan: the next run changes no table of the warehouse.\n',
    )

    const file = join('shop', 'models', 'dim_customer.sql')
    const model = await readFile(file, 'utf8')
    await writeFile(file, model.replace('customer.birthday', 'upper(customer.name) as loud_name'))
    const colored = await succeed('plan --project shop', { isTTY: true })
    expect(colored).toContain('\u001B[32m    + loud_name text not null\u001B[39m')
    expect(await succeed('plan --project shop')).toMatch(
      /new generation {3}all content is loaded again from the lake: 1 batch, \d+ rows now\n {4}~ the model of dim_customer has changed\n/,
    )
    const { err } = await command('run --project shop')
    expect(err).toContain(
      'the warehouse is made again from 1 batch: the model of dim_customer has changed',
    )
    expect(await succeed('plan --project shop')).toContain('Nothing to plan')
  })

  it('prints statements that another role can run, after which a run finds its tables', async () => {
    await succeed('init shop --star --yes')
    const script = await succeed('plan --sql --project shop --schema star')
    expect(script).toMatch(/^begin;\ncreate schema "star";\nset local search_path = "star";\n/)
    const client = await warehouse.client()
    await client.query(script)
    const plan = await command('plan --json --sql --project shop --schema star')
    expect(plan.events).toMatchObject([{ event: 'planned', isEmpty: true, statements: [] }])
    await succeed('run --project shop --schema star')
    await succeed('verify --project shop --schema star')
  })

  it('plans a mirror, whose tables nobody declares', async () => {
    const { events } = await command('plan --json')
    const [planned] = events as { tables?: { table: string; action: string }[] }[]
    expect(planned?.tables).toContainEqual(
      expect.objectContaining({ table: 'sales_orders', action: 'create', madeBy: 'model' }),
    )
    await succeed('run')
    expect(await succeed('plan')).toContain('Nothing to plan')
    await (
      await source.client()
    ).query(`do $$ begin for i in 1..30 loop
      execute format('create table more_%s (id int primary key, v text)', i);
    end loop; end $$`)
    const many = await succeed('plan')
    expect(many).toMatch(/\n {2}more_30 +fact {2}6 columns {2}1 key\n/)
    expect(many.split('\n').length).toBeLessThan(40)
  })

  it('says that there is only a lake', async () => {
    expect(await succeed('plan', { url: '' })).toBe(
      '  Nothing to plan: there is a lake and no warehouse.\n' +
        '  Next: set TIDEMARK_WAREHOUSE_URL, or let tidemark up make a warehouse here\n',
    )
    expect(await succeed('plan --sql', { url: '' })).toBe('-- there is no warehouse\n')
  })

  it('plans what was captured while the source is away', async () => {
    await succeed('run')
    const away = await tidemark(['plan'], {
      env: {
        TIDEMARK_SOURCE_URL: 'postgresql://nobody@127.0.0.1:1/away',
        TIDEMARK_WAREHOUSE_URL: warehouse.url,
      },
    })
    expect(away.code, away.err).toBe(0)
    expect(away.out).toContain('Its tables are planned as they were captured last.')
    expect(away.out).toContain('Nothing to plan')
  })

  it('reports a model that does not fit, as a run does', async () => {
    await succeed('init shop --star --yes')
    const file = join('shop', 'models', 'dim_customer.sql')
    const model = await readFile(file, 'utf8')
    await writeFile(file, model.replace('customer.birthday', 'customer.birthdate'))
    const planned = await command('plan --project shop')
    const ran = await command('run --project shop')
    expect(planned).toMatchObject({ code: 1, out: '' })
    expect(planned.err).toContain('birthdate')
    expect(planned.err).toContain('MODEL_INVALID')
    const [line = ''] = planned.err.split('\n')
    expect(ran.err).toContain(line)
  })

  it('shows what it can without the right to rehearse, and says which right that is', async () => {
    const url = await roleUrl(
      `grant connect on database ${warehouse.name} to $role; create schema weak authorization $role`,
    )
    try {
      const out = await succeed('plan --schema weak', { url })
      expect(out).toContain(`Nothing was rehearsed: ${warehouse.name}_weak may not rehearse in`)
      expect(out).toContain(
        `grant create on database "${warehouse.name}" to "${warehouse.name}_weak";`,
      )
      expect(out).toContain('migrations   platform/001_ledger.sql')
      expect(out).toContain('  sales_orders   fact   created\n')
      await succeed('run --schema weak', { url })
      await (await source.client()).query('alter table product add column weight int')
      expect(await succeed('plan --schema weak', { url })).toContain(
        '  product   fact   changed\n    + weight integer\n',
      )
      expect(await succeed('plan --sql --schema weak', { url })).toContain('-- ')
    } finally {
      await dropRole()
    }
  })

  it('names the session that keeps a table locked, and waits no longer than a second', async () => {
    await succeed('init shop --star --yes')
    await succeed('run --project shop')
    const file = join('shop', 'models', 'dim_customer.sql')
    const model = await readFile(file, 'utf8')
    await writeFile(file, model.replace('customer.birthday', 'upper(customer.name) as loud_name'))
    const holder = await warehouse.client()
    for (const table of ['dim_customer', 'fact_sales_payment']) {
      await holder.query(`begin; lock table ${table}`)
      const startedAt = Date.now()
      const out = await succeed('plan --project shop')
      expect(out).toMatch(
        new RegExp(
          `Nothing was rehearsed: a table is locked; session \\d+ \\(.*\\) has locked ${table}`,
        ),
      )
      expect(out).toContain('  dim_customer   dimension   changed\n    + loud_name text not null\n')
      expect(Date.now() - startedAt).toBeLessThan(30_000)
      await holder.query('rollback')
    }
  })

  it('keeps no reader and no writer of the warehouse waiting', async () => {
    await succeed('init shop --star --yes')
    await succeed('run --project shop')
    const reader = await warehouse.client()
    await reader.query(
      'begin; select * from dim_customer; select * from fact_sales_payment_history',
    )
    const writer = await warehouse.client()
    await writer.query(
      'begin; lock table tidemark_lock in exclusive mode; delete from fact_sales_payment',
    )
    const file = join('shop', 'models', 'dim_customer.sql')
    const model = await readFile(file, 'utf8')
    await writeFile(file, model.replace('customer.birthday', 'upper(customer.name) as loud_name'))
    expect(await succeed('plan --project shop')).toContain('+ loud_name text')
    await reader.query('rollback')
    await writer.query('rollback')
  })

  it('gives the error of a run: a name that is taken, a view that uses what must change', async () => {
    await warehouse.query('create table city (id int)')
    expect(await command('plan')).toMatchObject({
      code: 2,
      err: expect.stringContaining('WAREHOUSE_NAME_TAKEN'),
    })
    await warehouse.query('drop table city')
    await succeed('init shop --star --yes')
    await succeed('run --project shop')
    await (
      await warehouse.client()
    ).query(
      'create schema people; create view people.born as select birthday from public.dim_customer',
    )
    const file = join('shop', 'models', 'dim_customer.sql')
    const model = await readFile(file, 'utf8')
    await writeFile(file, model.replace('customer.birthday', 'upper(customer.name) as loud_name'))
    const [planned, ran] = [
      await command('plan --project shop'),
      await command('run --project shop'),
    ]
    expect(planned).toMatchObject({ code: 2, err: expect.stringContaining('people.born') })
    expect(ran.err).toContain('WAREHOUSE_IN_USE')
    await rm('shop', { recursive: true })
  })
})
