import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createMirror } from '../../../../test/support/mirror.ts'
import { createTestReader, type TestReader } from '../../../../test/support/reader.ts'
import type { TestSystem } from '../../../../test/support/system.ts'
import { parseConfig } from '../../../platform/config.ts'
import { extract } from '../../../platform/extract/extract.ts'
import { createReader, type Reader } from '../../../platform/presentation/reader.ts'
import { openWarehouse, type Warehouse } from '../../../platform/warehouse/warehouse.ts'
import { readAccess, readGatewayAccess } from '../access.ts'
import { createApp } from '../app.ts'
import { presentProject } from '../open-server.ts'

const HOSTILE = `<b>"x' & ../é`
const TABLE = `/table/${encodeURIComponent(HOSTILE)}`

let system: TestSystem
let role: TestReader
let reader: Reader
beforeAll(async () => {
  system = await createMirror(`
    create table customer (
      id integer primary key, name text not null, city text, version integer, joined timestamptz
    );
    comment on table customer is 'People who <buy>';
    comment on column customer.city is 'Where they "live"';
    insert into customer
      select n, 'Customer ' || n, case n % 3 when 0 then null else 'City ' || n % 3 end, n,
        '2024-02-29 23:30:00+00'
      from generate_series(1, 120) as n;
    create table "${HOSTILE.replaceAll('"', '""')}" (
      "a&b" text, "<script>" integer, "it's" text, primary key ("a&b", "<script>")
    );
    insert into "${HOSTILE.replaceAll('"', '""')}" values
      ('', 1, '<script>alert(1)</script>'), ('/?#%2F', 2, null), ('ü,"', 3, '');
    create table log (line text);
    insert into log values ('a'), ('a'), ('b');
    create table empty (id integer primary key);
    create schema sales;
    create table sales.orders (order_id bigint primary key, note text);
    grant usage on schema sales to public;
    grant select on sales.orders to public`)
  await system.run()
  await system.sql.query(`
    update customer set name = 'Björk <i>', version = 8 where id = 7;
    alter table customer add column email text;
    delete from customer where id in (8, 9)`)
  await system.run()
  await system.sql.query(`
    update customer set email = 'b@example.org' where id = 7;
    insert into customer values (9, 'Again', null, 1, null, null);
    insert into log values ('a');
    update "${HOSTILE.replaceAll('"', '""')}" set "it's" = 'x' where "<script>" = 1`)
  await system.run()
  role = await createTestReader(system)
  reader = createReader(role.warehouse)
})
afterAll(async () => {
  await reader[Symbol.asyncDispose]()
  await role[Symbol.asyncDispose]()
  await system[Symbol.asyncDispose]()
})

const options = () =>
  presentProject({
    config: parseConfig({}),
    deps: system.deps,
    extension: undefined,
    reader,
    saved: undefined,
    log: system.log,
  })

async function ask(path: string, accept = 'text/html'): Promise<Response> {
  const app = createApp({ ...options(), access: readAccess(parseConfig({})) })
  return await app.request(
    path,
    { headers: { accept } },
    { incoming: { socket: { remoteAddress: '127.0.0.1' } } },
  )
}

async function pageOf(path: string): Promise<string> {
  const response = await ask(path)
  const text = await response.text()
  expect([response.status, text.slice(0, 15)], path).toEqual([200, '<!doctype html>'])
  expect(text).not.toMatch(/<script>|<i>|<b>"/)
  return text
}

/** The text of a page, without tags and with white space folded. */
async function said(path: string): Promise<string> {
  return (await pageOf(path)).replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ')
}

/** The addresses in a page that begin so. */
function linksIn(html: string, beginning: string): string[] {
  return [...html.matchAll(/href="([^"]+)"/g)]
    .map(([, link = '']) => link.replaceAll('&amp;', '&').replaceAll('&#39;', "'"))
    .filter((link) => link.startsWith(beginning))
}

describe('the overview of a mirror', () => {
  it('is the first page, and shows every table as it is now', async () => {
    const text = await said('/')
    expect(text).toContain('Overview')
    expect(text).toMatch(/Tables 5 in the warehouse/)
    expect(text).toMatch(
      /customer People who &lt;buy&gt; 119 125 \S+ \S+ UTC 1 inserted, 1 updated batch 3 whole/,
    )
    expect(text).toMatch(/ log 2 3 \S+ \S+ UTC 1 updated batch 3 whole/)
    expect(text).toMatch(/ empty 0 0 whole/)
    expect(text).toMatch(/sales_orders 0 0 whole/)
  })

  it('draws what changed when, without the first batch, and says the same as a table', async () => {
    const page = await pageOf('/')
    expect(page).toMatch(
      /<svg\s+class="strip changes"[^>]+role="img"\s+aria-label="Rows that changed in the last 2 batches/,
    )
    const text = await said('/')
    expect(text).toMatch(/1 inserted 4 updated 2 deleted/)
    expect(text).toMatch(/From Inserted Updated Deleted/)
  })

  it('has links that lead somewhere, on every page that it leads to', async () => {
    const seen = new Set<string>()
    const queue = ['/']
    while (queue.length > 0) {
      const path = queue.shift() ?? ''
      const response = await ask(path)
      expect(response.status, path).toBe(200)
      if (!/^\/($|table|lineage|catalogue|quarantine|pipeline)/.test(path)) continue
      for (const link of linksIn(await response.text(), '/')) {
        const bare = link.split('#')[0] ?? ''
        if (seen.has(bare) || /^\/(assets|run\/4)/.test(bare) || seen.size > 150) continue
        seen.add(bare)
        queue.push(bare)
      }
    }
    expect(seen.size).toBeGreaterThan(60)
  })
})

describe('the page of a table', () => {
  it('shows rows, columns with their comments, schema history and quality', async () => {
    const text = await said('/table/customer')
    expect(text).toContain('People who &lt;buy&gt;')
    expect(text).toContain('119 rows')
    expect(text).toMatch(/city text Where they &quot;live&quot;/)
    expect(text).toMatch(/id key integer/)
    expect(text).toMatch(/Schemas it was captured with .* added email .* first captured, 5 columns/)
    expect(text).toContain('No row was refused, and nothing is held.')
    expect(text).toContain('2024-02-29 23:30:00 UTC')
    expect(await pageOf('/table/customer')).toContain('title="Where they &quot;live&quot;"')
  })

  it('is searched, filtered and sorted by its address, and each filter can be undone', async () => {
    const page = await pageOf('/table/customer?q=bj%C3%B6RK&equals.version=8&sort=name&order=desc')
    expect(page).toContain('Björk &lt;i&gt;')
    expect(page).toContain('aria-sort="descending"')
    expect(linksIn(page, '/table/customer?')).toContain(
      '/table/customer?q=bj%C3%B6RK&sort=name&order=desc',
    )
    expect(linksIn(page, '/table/customer?')).toContain(
      '/table/customer?equals.version=8&sort=name&order=desc',
    )
    expect(linksIn(page, '/table/customer/rows.csv')).toEqual([
      '/table/customer/rows.csv?q=bj%C3%B6RK&equals.version=8&sort=name&order=desc',
    ])
    expect(await said('/table/customer?equals.id=-5')).toContain('Nothing meets these filters.')
  })

  it('adds the filter of its form to the address, and leaves out what is empty', async () => {
    const to = async (query: string) => {
      const response = await ask(`/table/customer?${query}`)
      return [response.status, response.headers.get('location')]
    }
    expect(await to('q=&state=&sort=name&column=city&is=contains&value=City+2')).toEqual([
      302,
      '/table/customer?sort=name&contains.city=City+2',
    ])
    expect(await to('column=city&is=empty&value=ignored')).toEqual([
      302,
      '/table/customer?empty.city=yes',
    ])
    expect(await to('column=nothing&is=equals&value=1')).toEqual([302, '/table/customer'])
    expect(await said('/table/customer?empty.city=yes')).toMatch(/city is null × , undo/)
  })

  it('names a value that a column cannot have, and shows the rest', async () => {
    const page = await pageOf('/table/customer?from.id=many&q=Customer+11')
    expect(page).toContain('role="alert"')
    expect(page).toContain('aria-invalid="true"')
    expect(page).toContain('Customer 110')
    const file = await ask('/table/customer/rows.csv?from.id=many', 'text/csv')
    expect([file.status, await file.json()]).toMatchObject([400, { code: 'BAD_FILTER' }])
  })

  it.each([
    ['/table/customer?sort=nothing', 'BAD_FILTER'],
    ['/table/customer?equals.nothing=1', 'UNKNOWN_PARAMETER'],
    ['/table/customer?like.id=1', 'UNKNOWN_PARAMETER'],
    ['/table/customer?q=1&q=2', 'REPEATED_PARAMETER'],
    ['/table/customer?state=gone', 'BAD_FILTER'],
    ['/table/customer?order=up', 'BAD_FILTER'],
    ['/table/customer?cursor=abc', 'BAD_FILTER'],
    [`/table/customer?q=${'a'.repeat(300)}`, 'BAD_FILTER'],
    ['/table/customer/row', 'BAD_FILTER'],
    ['/table/customer/row?key.name=1', 'UNKNOWN_PARAMETER'],
  ])('refuses %s', async (path, code) => {
    const response = await ask(path, 'application/json')
    expect([response.status, await response.json()]).toMatchObject([400, { code }])
  })

  it.each([
    '/table/nothing',
    '/table/pg_authid',
    '/table/tidemark_ledger',
    '/table/customer_current',
    '/table/%3Cscript%3E',
    '/table/__proto__',
    '/table/customer/row?key.id=5000',
    '/table/customer/row?key.id=x',
    '/table/customer/row?key.id=1%00',
    `/table/customer/row?key.id=1'%20or%20true`,
    '/lineage?table=nothing',
    '/lineage?source=%3Cscript%3E',
  ])('has nothing at %s', async (path) => {
    const response = await ask(path)
    expect(response.status).toBe(404)
    expect(await response.text()).not.toContain('<script>')
  })

  it('goes from page to page and back, and refuses a place of other filters', async () => {
    const first = await pageOf('/table/customer?sort=city')
    const [next = ''] = linksIn(first, '/table/customer?sort=city&cursor=')
    const second = await pageOf(next)
    expect(second).toContain('rel="prev"')
    expect(second).toContain('⇤ first rows')
    const [cursor = ''] = /cursor=.*/.exec(next) ?? []
    expect((await ask(`/table/customer?${cursor}`)).status).toBe(400)
    expect((await ask(`/table/empty?sort=id&${cursor}`)).status).toBe(400)
  })

  it('shows deleted rows on request', async () => {
    const text = await said('/table/customer?state=deleted')
    expect(text).toMatch(/Deleted rows .* Customer 8/)
    expect(text).not.toContain('Again')
    expect(await said('/table/empty?state=deleted')).toContain('No row was deleted.')
  })

  it('keeps rows without a key by content, and says so', async () => {
    const text = await said('/table/log')
    expect(text).toContain('The source table has no key')
    const [row = ''] = linksIn(await pageOf('/table/log?equals.line=a'), '/table/log/row?')
    expect(await said(row)).toMatch(/row_count 2 → 3/)
  })

  it('takes hostile names and values for what they are', async () => {
    const page = await pageOf(TABLE)
    const rows = linksIn(page, `${TABLE}/row?`)
    expect(rows).toHaveLength(3)
    for (const row of rows) expect(await said(row)).toContain('created')
    expect(await said(rows[0] ?? '')).toMatch(/&lt;script&gt;alert\(1\)&lt;\/script&gt; → x/)
    const filtered = `${TABLE}?equals.${encodeURIComponent('a&b')}=${encodeURIComponent('ü,"')}`
    expect(linksIn(await pageOf(filtered), `${TABLE}/row?`)).toHaveLength(1)
    const file = await ask(`${TABLE}/rows.csv?sort=${encodeURIComponent('<script>')}&order=desc`)
    expect(file.headers.get('content-disposition')).toMatch(/^attachment; filename="[\w-]+\.csv"$/)
    const [header = '', ...lines] = (await file.text()).split('\r\n')
    expect(header).toContain(`a&b,<script>,it's`)
    expect(lines.slice(0, 2)).toEqual([`"ü,""",3,""`, '/?#%2F,2,'])
    const workbook = await ask(`${TABLE}/rows.xlsx`)
    expect([workbook.status, (await workbook.arrayBuffer()).byteLength > 1000]).toEqual([200, true])
  })
})

describe('the page of a row', () => {
  it('shows every version, with what differs from the one before, and where it comes from', async () => {
    const text = await said('/table/customer/row?key.id=7')
    expect(text).toContain('current 3 versions')
    expect(text).toMatch(/v2 \S+ \S+ UTC changed name Customer 7 → Björk &lt;i&gt; · version 7 → 8/)
    expect(text).toMatch(/v3 \S+ \S+ UTC changed email ∅ → b@example.org/)
    expect(text).toContain('ingestion/batch/000000000003.json')
    expect(await said('/table/customer/row?key.id=8')).toMatch(/deleted in the source, noticed/)
    expect(await said('/table/customer/row?key.id=9')).toMatch(/v3 \S+ \S+ UTC created again/)
  })

  it('shows the newest of many versions, and leads to those before them', async () => {
    const columns =
      'record_id, id, name, city, version, joined, record_operation, recorded_at, batch_id, email'
    await system.query(`
      insert into customer (${columns})
      select 1000 + n, 500, 'Busy ' || n, null, n, null, case n when 1 then 'insert' else 'update' end,
        '2026-01-01 00:00:00+00', 3, null
      from generate_series(1, 230) as n`)
    const text = await said('/table/customer/row?key.id=500')
    expect(text).toContain('The newest 200 of 230 versions.')
    const [older = ''] = linksIn(
      await pageOf('/table/customer/row?key.id=500'),
      '/table/customer/row?key.id=500&until=',
    )
    expect(older).toBe('/table/customer/row?key.id=500&until=218#h-versions')
    expect(await said(older)).toContain('Versions 207 to 218 of 230')
    expect(await pageOf('/table/customer/row?key.id=500&until=42')).not.toContain('until=30')
    await system.query('delete from customer where record_id > 1000')
  })
})

it('rows are for those who may ask, and reading them is logged if something is reserved', async () => {
  const reserved = { group: 'treasury', what: 'the orders', paths: ['/orders'] }
  const dashboard = { questions: [], pages: [], filters: [], labels: {}, links: {}, reserved }
  const project = { ...system.deps.project, presentation: dashboard }
  const app = createApp({
    ...options(),
    ...presentProject({
      config: parseConfig({}),
      deps: { ...system.deps, project },
      extension: undefined,
      reader,
      saved: undefined,
      log: system.log,
    }),
    access: readGatewayAccess(parseConfig({})),
  })
  const statusFor = async (groups: string, path: string): Promise<number> => {
    const claims = { sub: 'ada', exp: String(Math.floor(Date.now() / 1000) + 300), groups }
    const env = { requestContext: { authorizer: { jwt: { claims } } } }
    const response = await app.request(path, {}, env)
    await response.arrayBuffer()
    return response.status
  }
  for (const path of [
    '/table/customer',
    '/table/customer/row?key.id=1',
    '/table/customer/rows.csv',
    '/table/%63ustomer',
  ]) {
    expect(await statusFor('[analyst]', path), path).toBe(403)
    expect(await statusFor('[treasury]', path), path).toBe(403)
    expect(await statusFor('[analyst treasury]', path), path).toBe(200)
  }
  expect(await statusFor('[analyst]', '/')).toBe(200)
  expect(system.entries.at(-1)).toMatchObject({
    event: 'reserved_read',
    subject: 'ada',
    status: 200,
  })
})

describe('the other pages of a mirror', () => {
  it('Lineage draws each source table with its table, and a part of it on request', async () => {
    const page = await pageOf('/lineage')
    expect(page).toMatch(/<svg\s+class="lineage"/)
    expect(linksIn(page, TABLE).length).toBeGreaterThan(0)
    const part = await said('/lineage?table=customer')
    expect(part).toContain('Around customer')
    expect(part).toMatch(/customer source table customer/)
    expect(part).not.toContain('sales_orders')
  })

  it('Ask lists its tables and begins with one, Quarantine and Catalogue speak of tables', async () => {
    const text = await said('/ask')
    expect(text).toContain('customer_current')
    expect(text).toMatch(/select \* from &quot;.*_current&quot; order by/)
    expect(text).not.toContain('star')
    expect(await said('/quarantine')).toContain('Every table is captured.')
    expect(await said('/catalogue')).not.toContain('Star')
    expect(await said('/pipeline')).toContain('customer')
  })

  it('show a table as soon as the next run has captured it', async () => {
    expect((await ask('/table/later')).status).toBe(404)
    await system.sql.query(
      'create table later (id integer primary key); insert into later values (1)',
    )
    await system.run()
    await using grantee = await createTestReader(system)
    await using fresh = createReader(grantee.warehouse)
    const app = createApp({ ...options(), reader: fresh, access: readAccess(parseConfig({})) })
    const get = async (path: string) =>
      await app.request(path, {}, { incoming: { socket: { remoteAddress: '127.0.0.1' } } })
    expect((await get('/table/later')).status).toBe(200)
    for (const path of ['/', '/lineage', '/pipeline', '/catalogue/later', '/ask']) {
      expect(await (await get(path)).text(), path).toContain('later')
    }
  })
})

describe('what is kept back', () => {
  it('is said in the overview and on the page of the table', async () => {
    await using kept = await createMirror(`
      create table word (word text primary key, amount numeric(8, 2));
      create table gone (id integer primary key);
      create table pair (a integer, b integer, primary key (a, b));
      insert into word values ('one', 1); insert into gone values (1)`)
    await kept.run()
    await kept.sql.query(`
      insert into word values ('not', 'NaN');
      insert into pair select n, n from generate_series(1, 300) as n; drop table gone`)
    await kept.run()
    await kept.sql.query(`delete from pair; insert into word values ('two', 2)`)
    await kept.run()
    await using grantee = await createTestReader(kept)
    await using own = createReader(grantee.warehouse)
    const app = createApp({
      ...presentProject({
        config: parseConfig({}),
        deps: kept.deps,
        extension: undefined,
        reader: own,
        saved: undefined,
        log: kept.log,
      }),
      access: readAccess(parseConfig({})),
    })
    const text = async (path: string): Promise<string> => {
      const incoming = { socket: { remoteAddress: '127.0.0.1' } }
      const html = await (await app.request(path, {}, { incoming })).text()
      return html.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ')
    }
    const overview = await text('/')
    expect(overview).toMatch(/In quarantine 1 see why/)
    expect(overview).toMatch(/Held held gone : .*, since /)
    expect(overview).toMatch(/gone 1 1 .* held/)
    expect(overview).toMatch(/word 2 2 .* incomplete 1 row in quarantine/)
    expect(overview).toMatch(/pair 300 300 .* deletions held 300/)
    expect(await text('/table/word')).toMatch(
      /incomplete 1 row in quarantine .* value_not_exact amount 1/,
    )
    expect(await text('/table/gone')).toContain('It stays as it was last captured.')
    expect(await text('/table/pair')).toContain('tidemark run --confirm-deletes')
    expect(await text('/table/pair/row?key.a=1&key.b=1')).toContain('pair 1, 1')
    expect(await text('/quarantine')).toContain('TIDEMARK_EXCLUDE')
  })

  it('is nothing before the first load, and the overview says what to do', async () => {
    await using fresh = await createMirror('create table a (id integer primary key)')
    await using own = createReader(fresh.deps.warehouse)
    const bare = { ...own, read: readUnchecked(fresh.deps.warehouse) }
    const app = createApp({
      ...presentProject({
        config: parseConfig({}),
        deps: fresh.deps,
        extension: undefined,
        reader: bare,
        saved: undefined,
        log: fresh.log,
      }),
      access: readAccess(parseConfig({})),
    })
    const incoming = { socket: { remoteAddress: '127.0.0.1' } }
    const get = async (path: string) => await app.request(path, {}, { incoming })
    expect(await (await get('/')).text()).toMatch(/Nothing has been loaded\s+yet/)
    expect((await get('/table/a')).status).toBe(503)
    expect(await (await get('/lineage')).text()).toMatch(/Nothing was captured\s+yet/)
    await extract(fresh.deps)
    expect(await (await get('/')).text()).toMatch(/1 table waits/)
  })
})

/** Reads as the loader, because no reader has a right before the first load. */
function readUnchecked(warehouse: Warehouse): Reader['read'] {
  return async (work) => {
    await using session = await openWarehouse(warehouse)
    return await work(session)
  }
}
