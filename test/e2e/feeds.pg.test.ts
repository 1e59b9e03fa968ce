import { appendFile, mkdir, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { collect } from '../../src/platform/collect/collect.ts'
import type { Deps } from '../../src/platform/deps.ts'
import { diskStore } from '../../src/platform/lake/store/disk-store.ts'
import { run } from '../../src/platform/pipeline.ts'
import { diskDrop } from '../../src/platform/source/drop.ts'
import { verify } from '../../src/platform/inspect/verify.ts'
import { listKeys, once, withHook } from '../support/lake.ts'
import { createShop, type ShopSystem } from '../support/shop.ts'

interface Prices extends ShopSystem {
  /** Drops a file that nobody is writing any more. */
  drop(name: string, content: string | Buffer): Promise<void>
  /** One run that must succeed, with the drop. */
  collect(): Promise<number>
  /** The current prices: item, day, price. */
  current(): Promise<unknown[][]>
  /** Every version of an item's prices: `operation price`. */
  history(item: number): Promise<string[]>
  /** Rows in quarantine: key, reason, column. */
  refused(): Promise<unknown[][]>
  /** Files as the lake knows them: name and outcome. */
  files(): Promise<Record<string, string>>
}

async function createPrices(): Promise<Prices> {
  const shop = await createShop({ hasPrices: true })
  const folder = join(shop.folder, 'drop')
  const deps: Deps = { ...shop.deps, feeds: { drop: diskDrop(folder) } }
  await run(deps)
  const rows = async (relation: string) => {
    const { readFeedState } = await import('../support/feeds.ts')
    return await readFeedState(deps, relation)
  }
  return {
    ...shop,
    deps,
    async drop(name, content) {
      const path = join(folder, name)
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, content)
      const earlier = new Date(Date.now() - 5000 + Math.random() * 1000)
      await utimes(path, earlier, earlier)
    },
    async collect() {
      const report = await run(deps)
      if (report.failures.length > 0) throw report.failures[0]?.error
      const counts = report.collected?.record?.tables['price']?.counts
      if (counts !== undefined) {
        expect(counts.accepted + counts.unchanged + counts.quarantined).toBe(counts.read)
      }
      return report.collected?.files ?? 0
    },
    async current() {
      const found = await shop.query<{ item_id: number; day: string; price: string }>(
        'select item_id, day::text as day, price from fact_price_current order by 1, 2',
      )
      return found.map(({ item_id: item, day, price }) => [item, day, price])
    },
    async history(item) {
      const found = await shop.query<{ version: string }>(
        `select record_operation || ' ' || price as version from fact_price
         where item_id = $1 order by price_record_id`,
        [item],
      )
      return found.map(({ version }) => version)
    },
    refused: async () =>
      (await rows('open')).map((row) => [
        JSON.parse(String(row['_key'])),
        row['_reason'],
        row['_column'],
      ]),
    files: async () =>
      Object.fromEntries(
        (await rows('files')).map((row) => [row['file'], row['outcome']]),
      ) as Record<string, string>,
  }
}

const line = (item: number, price: string | number, day = '2026-11-20') =>
  `${JSON.stringify({ item_id: item, day, price })}\n`

it('I1 I7 files become versions of facts, beside the tables of the database and in the same log', async () => {
  await using prices = await createPrices()
  await prices.drop('price/a.jsonl', line(1, '9.990') + line(2, 20))
  await prices.drop('price/deeper/b.csv.gz', gzipSync('day,item_id,price\n2026-11-21,1,10\n'))
  await prices.sql.query(`insert into sale values (1, 1, 5, 9.99, '2026-11-20')`)
  expect(await prices.collect()).toBe(2)
  expect(await prices.current()).toEqual([
    [1, '2026-11-20', '9.990'],
    [1, '2026-11-21', '10.000'],
    [2, '2026-11-20', '20.000'],
  ])
  await prices.drop('price/c.json', `[${line(1, '9.5')}]`)
  expect(await prices.collect()).toBe(1)
  expect(await prices.history(1)).toEqual(['insert 9.990', 'insert 10.000', 'update 9.500'])
  expect(await prices.query('select units from fact_sale_current')).toEqual([{ units: 5 }])
  expect((await verify(prices.deps)).isEqual).toBe(true)
  // Later changes in the database leave the rows from files unchanged.
  await prices.sql.query('update sale set units = 6')
  await prices.collect()
  expect((await prices.current()).length).toBe(3)
  expect((await prices.records()).map(({ collectedAt }) => collectedAt !== undefined)).toEqual([
    false,
    false,
    true,
    true,
    false,
  ])
})

it('I9 a file is taken once: by its name and its content', async () => {
  await using prices = await createPrices()
  await prices.drop('price/a.jsonl', line(1, 1) + line(2, 2))
  expect(await prices.collect()).toBe(1)
  const objects = await listKeys(prices.deps.ingestion)
  expect(await prices.collect()).toBe(0)
  expect(await listKeys(prices.deps.ingestion)).toEqual(objects)

  // The same content under another name says nothing new, even after it was overtaken.
  await prices.drop('price/b.jsonl', line(1, 3))
  await prices.collect()
  await prices.drop('price/copy of a.jsonl', line(1, 1) + line(2, 2))
  expect(await prices.collect()).toBe(1)
  expect((await prices.current()).map(([, , price]) => price)).toEqual(['3.000', '2.000'])

  // A changed file under the same name corrects rows. Rows that it now lacks stay.
  await prices.drop('price/a.jsonl', line(2, 5))
  await prices.collect()
  expect((await prices.current()).map(([, , price]) => price)).toEqual(['3.000', '5.000'])
  await prices.drop('price/a.jsonl', line(1, 1) + line(2, 2))
  await prices.collect()
  expect(await prices.history(2)).toEqual(['insert 2.000', 'update 5.000', 'update 2.000'])
  expect(await prices.files()).toEqual({
    'price/a.jsonl': 'taken',
    'price/b.jsonl': 'taken',
    'price/copy of a.jsonl': 'copy',
  })
  expect((await verify(prices.deps)).isEqual).toBe(true)
})

it('I6 one bad line in ten thousand is one row in quarantine, which the corrected file releases', async () => {
  await using prices = await createPrices()
  const lines = Array.from({ length: 10_000 }, (_, index) => line(1, index, dayOf(index)))
  const good = lines[5000] ?? ''
  lines[5000] = good.replace('5000', '"TBC"')
  lines[7000] = '{"item_id": 1, "day\n'
  await prices.drop('price/many.jsonl', lines.join(''))
  await prices.collect()
  expect((await prices.current()).length).toBe(9998)
  expect(await prices.refused()).toEqual([
    [{ item_id: '1', day: dayOf(5000) }, 'value_not_exact', 'price'],
    [{ file: 'price/many.jsonl', line: 7001 }, 'not_json', null],
  ])
  // Accepted from another file.
  await prices.drop('price/mended.jsonl', good)
  await prices.collect()
  expect((await prices.refused()).length).toBe(1)
  // The file itself, now complete.
  lines[7000] = line(1, 7000, dayOf(7000))
  lines[5000] = good
  await prices.drop('price/many.jsonl', lines.join(''))
  await prices.collect()
  expect(await prices.refused()).toEqual([])
  expect((await prices.current()).length).toBe(10_000)
})

it('takes nothing of a file that cannot be read, and everything once it can', async () => {
  await using prices = await createPrices()
  const whole = gzipSync(Array.from({ length: 500 }, (_, i) => line(1, i, dayOf(i))).join(''))
  await prices.drop('price/half.jsonl.gz', whole.subarray(0, whole.length / 2))
  await prices.drop('price/empty.json', '')
  await prices.drop('price/wrong.parquet', 'not parquet')
  await prices.drop('price/mostly.jsonl', line(2, 1) + 'x\n'.repeat(200))
  await prices.drop('price/notes.txt', 'not ours')
  await prices.drop('price/.hidden.json', line(1, 1))
  await prices.collect()
  expect(await prices.current()).toEqual([])
  expect(await prices.files()).toEqual({
    'price/half.jsonl.gz': 'refused',
    'price/empty.json': 'empty',
    'price/wrong.parquet': 'refused',
    'price/mostly.jsonl': 'refused',
  })
  expect((await prices.refused()).map(([key, reason]) => [key, reason])).toEqual(
    expect.arrayContaining([
      [{ file: 'price/half.jsonl.gz' }, 'not_readable'],
      [{ file: 'price/mostly.jsonl' }, 'too_many_rejected'],
      [{ file: 'price/wrong.parquet' }, 'not_readable'],
    ]),
  )
  expect(await prices.collect()).toBe(0)
  await prices.drop('price/half.jsonl.gz', whole)
  await prices.collect()
  expect((await prices.current()).length).toBe(500)
  expect((await prices.refused()).length).toBe(2)
})

it('waits for a file that somebody is still writing, and for the first snapshot', async () => {
  await using prices = await createPrices()
  const path = join(prices.folder, 'drop', 'price', 'slow.jsonl')
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, line(1, 1).slice(0, 10))
  expect(await prices.collect()).toBe(0)
  await appendFile(path, line(1, 1).slice(10))
  const earlier = new Date(Date.now() - 5000)
  await utimes(path, earlier, earlier)
  expect(await prices.collect()).toBe(1)
  expect((await prices.current()).length).toBe(1)

  const store = (name: string) => diskStore(join(prices.folder, name))
  const empty = { ...prices.deps, ingestion: store('none'), processed: store('none either') }
  expect(await collect(empty)).toMatchObject({ record: undefined, committed: false })
})

it('the later of two lines with one key counts, in one file and across files', async () => {
  await using prices = await createPrices()
  await prices.drop('price/a.jsonl', line(1, 1) + line(1, 2) + line(2, 1))
  await prices.drop('price/b.jsonl', line(2, 3))
  await prices.collect()
  expect((await prices.current()).map(([, , price]) => price)).toEqual(['2.000', '3.000'])
  expect(await prices.history(2)).toEqual(['insert 3.000'])
})

it('names undeclared fields, and follows no link out of the drop', async () => {
  await using prices = await createPrices()
  const { symlink } = await import('node:fs/promises')
  await prices.drop('price/a.jsonl', '{"item_id":1,"day":"2026-11-20","price":1,"note":"x"}\n')
  await prices.drop('elsewhere/b.jsonl', line(2, 2))
  await symlink(
    join(prices.folder, 'drop', 'elsewhere', 'b.jsonl'),
    join(prices.folder, 'drop', 'price', 'b.jsonl'),
  )
  await prices.collect()
  expect((await prices.current()).length).toBe(1)
  const ignored = prices.entries.filter(({ event }) => event === 'fields_ignored')
  expect(ignored).toMatchObject([{ table: 'price', fields: ['note'] }])
})

it('takes the data that engines drop, from folders named by a value too, and counts what they leave beside it', async () => {
  await using prices = await createPrices()
  const leftovers = [
    '_SUCCESS',
    '_committed_4f3c',
    '_started_4f3c',
    '_metadata',
    '_delta_log/0.json',
    '_delta_log/1.json',
    '_temporary/0/task/part-1.csv',
    '.part-0.csv.crc',
    '.DS_Store',
    '~$prices.xlsx',
    'prices.xlsx',
    'prices.csv~',
    'prices.csv.tmp',
  ]
  for (const name of leftovers) await prices.drop(`price/${name}`, 'not,a,price\n1,2,3\n')
  await prices.drop('price/day=2026-11-20/part-0.csv', 'item_id,price\n1,5\n')
  await prices.drop('price/item_id=2/day=2026%2D11%2D21/part-0.jsonl', '{"price":6}\n')
  await prices.drop('price/day=soon/part-0.csv', 'item_id,price\n3,7\n')
  expect(await prices.collect()).toBe(3)
  expect(await prices.current()).toEqual([
    [1, '2026-11-20', '5.000'],
    [2, '2026-11-21', '6.000'],
  ])
  expect((await prices.refused()).map(([, reason, column]) => [reason, column])).toEqual([
    ['value_not_exact', 'day'],
  ])
  expect(Object.keys(await prices.files()).length).toBe(3)
  // A folder counts as one; each number is logged once.
  const told = () =>
    prices.entries.filter((entry) => entry.event === 'files_ignored').map(({ files }) => files)
  expect(told()).toEqual([12])
  await prices.collect()
  expect(told()).toEqual([12])
  await prices.drop('price/_another', 'x')
  const report = await run(prices.deps)
  expect(report.collected).toMatchObject({ ignored: 13, files: 0, failures: [] })
  expect(told()).toEqual([12, 13])
})

it('I1 files with the same content in folders with different values are not copies of each other', async () => {
  await using prices = await createPrices()
  const content = 'item_id,price\n1,5\n'
  await prices.drop('price/day=2026-11-20/part-0.csv', content)
  await prices.drop('price/day=2026-11-21/part-0.csv', content)
  await prices.collect()
  await prices.drop('price/day=2026-11-22/part-0.csv', content)
  await prices.drop('price/again/day=2026-11-20/part-0.csv', content)
  await prices.collect()
  expect((await prices.current()).map(([, day]) => day)).toEqual([
    '2026-11-20',
    '2026-11-21',
    '2026-11-22',
  ])
  expect(Object.values(await prices.files()).toSorted()).toEqual([
    'copy',
    'taken',
    'taken',
    'taken',
  ])
})

it('I8 rows from files are rebuilt from the lake without the drop', async () => {
  await using prices = await createPrices()
  await prices.drop('price/a.jsonl', line(1, 1) + line(2, 2))
  await prices.collect()
  await prices.drop('price/a.jsonl', line(1, 4))
  await prices.collect()
  const before = await prices.query('select * from fact_price order by 1')
  await rm(join(prices.folder, 'drop'), { recursive: true })
  await rename(join(prices.folder, 'processed'), join(prices.folder, 'old'))
  await prices.query(
    'delete from fact_price; delete from fact_price_current; delete from tidemark_ledger; delete from fact_sale; delete from fact_sale_current; delete from fact_stock; delete from fact_stock_current',
  )
  await prices.collect()
  expect(await prices.query('select * from fact_price order by 1')).toEqual(before)
})

it('I4 two runs that collect at once take each file once', async () => {
  await using prices = await createPrices()
  for (let file = 0; file < 5; file++)
    await prices.drop(`price/${file}.jsonl`, line(1, file, dayOf(file)))
  const outcomes = await Promise.all([collect(prices.deps), collect(prices.deps)])
  expect(outcomes.filter(({ committed }) => committed).length).toBe(1)
  await prices.collect()
  expect((await prices.current()).length).toBe(5)
  expect((await prices.history(1)).length).toBe(5)
})

function dayOf(index: number): string {
  return new Date(Date.UTC(2000, 0, 1 + index)).toISOString().slice(0, 10)
}

it('I4 archives no further file once another run has taken the batch number', async () => {
  await using prices = await createPrices()
  await prices.drop('price/a.jsonl', line(1, 1))
  await prices.drop('price/b.jsonl', line(2, 2))
  await prices.drop('price/c.jsonl', line(3, 3))
  const isArchive = (call: string, key: string) => call === 'upload' && key.startsWith('raw/')
  const overtaken = withHook(
    prices.deps,
    once(isArchive, () => run({ ...prices.deps, runId: 'the other' })),
  )
  expect(await collect(overtaken)).toMatchObject({ committed: false, files: 0 })
  // The other run archived all three; this one had begun the first.
  const keys = await listKeys(prices.deps.ingestion)
  expect(keys.filter((key) => key.startsWith('raw/'))).toHaveLength(4)
  expect(await prices.current()).toHaveLength(3)
})
