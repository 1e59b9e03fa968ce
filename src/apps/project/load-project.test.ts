import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { tidemark } from '../../../test/support/command.ts'
import { TOTESYS_PROJECT } from '../../../test/support/totesys-project.ts'
import { parseConfig } from '../../platform/config.ts'
import { standardProject } from '../../standard-project.ts'
import { totesys } from '../../totesys/totesys.ts'
import { loadProject, openProject, readProjectFile } from './load-project.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-load-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Writes files into the project's folder. */
function write(files: Readonly<Record<string, string>>): void {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), text)
  }
}

const read = (file: string) => readProjectFile(join(folder, file))

describe('readProjectFile()', () => {
  it('loads TypeScript that imports tidemark, with nothing installed beside it', async () => {
    write({
      'names.ts': `export enum Name { shop = 'shop' }`,
      'models/dim_item.sql': 'select 1 as id',
      'tidemark.config.ts': `
        import { readFileSync } from 'node:fs'
        import { defineProject, type ProjectConfig } from 'tidemark'
        import { Name } from './names.ts'
        const title: string = await Promise.resolve('the shop')
        const models: ProjectConfig['models'] = { dim_item: { key: 'id' } }
        readFileSync(new URL('./names.ts', import.meta.url))
        export default defineProject({ name: Name.shop, title, models })`,
    })
    expect(await read('tidemark.config.ts')).toMatchObject({
      name: 'shop',
      title: 'the shop',
      models: [{ kind: 'dimension', table: 'dim_item' }],
    })
  })

  it.each([
    ['tidemark.config.js', `export default { name: 'shop' }`],
    ['tidemark.config.js', `module.exports = { name: 'shop' }`],
    [
      'tidemark.config.mjs',
      `import { defineProject } from 'tidemark'\nexport default defineProject({ name: 'shop' })`,
    ],
    ['tidemark.config.json', '\ufeff{ "name": "shop" }'],
  ])('loads %s: %s', async (file, text) => {
    // What `npm init` writes, with which Node takes the file for CommonJS.
    write({ [file]: text, 'package.json': '{ "type": "commonjs" }' })
    expect(await read(file)).toMatchObject({ name: 'shop', mirror: {} })
  })

  it('loads the folder of Totesys as it does any other', async () => {
    const loaded = await readProjectFile(join(TOTESYS_PROJECT, 'tidemark.config.ts'))
    expect(loaded).toEqual(totesys)
  })
})

describe('loadProject()', () => {
  const load = (values: Record<string, string>) => loadProject(parseConfig(values), standardProject)
  const source = { TIDEMARK_SOURCE_URL: 'postgresql://u@127.0.0.1:1/d' }

  it('mirrors a source that has no project, and is the standard project without either', async () => {
    expect(await load(source)).toMatchObject({
      project: { name: 'mirror', mirror: {}, models: [] },
    })
    expect((await load({})).project).toBe(totesys)
    const named = await load({ TIDEMARK_PROJECT: join(TOTESYS_PROJECT, 'tidemark.config.ts') })
    expect(named.project).toBe(totesys)
    expect((await openProject(undefined, standardProject)).project).toBe(totesys)
  })

  it('lets settings override what a mirror says, one by one', async () => {
    const options = {
      TIDEMARK_SELECT: 'sales.*, "my, table" hr.person',
      TIDEMARK_EXCLUDE: '*.password',
      TIDEMARK_NEW_TABLES: 'report',
      TIDEMARK_WITHOUT_KEY: 'leave',
      TIDEMARK_VIEWS: 'true',
    }
    expect((await load({ ...source, ...options })).project.mirror).toEqual({
      select: ['sales.*', '"my, table"', 'hr.person'],
      exclude: ['*.password'],
      newTables: 'report',
      withoutKey: 'leave',
      views: true,
    })
    write({
      'tidemark.config.json': '{ "mirror": { "select": ["a"], "exclude": ["b"], "views": true } }',
    })
    const project = { TIDEMARK_PROJECT: join(folder, 'tidemark.config.json') }
    const { project: loaded } = await load({
      ...project,
      TIDEMARK_VIEWS: 'false',
      TIDEMARK_EXCLUDE: 'c',
    })
    expect(loaded.mirror).toEqual({ select: ['a'], exclude: ['c'], views: false })
  })

  it('refuses settings of mirrors with a project that is not one', async () => {
    await expect(load({ TIDEMARK_SELECT: 'a', TIDEMARK_VIEWS: 'true' })).rejects.toMatchObject({
      code: 'USAGE',
      message: 'TIDEMARK_SELECT, TIDEMARK_VIEWS cannot be used: Totesys is not a mirror',
    })
    expect(() => parseConfig({ TIDEMARK_NEW_TABLES: 'maybe' })).toThrow('must be capture or report')
  })
})

const SALE = `source: { tables: { sale: { key: 'id' } } }`

/** What people write by mistake: the files, the command's place in them, and what it says. */
const MISTAKES: readonly (readonly [
  what: string,
  files: Readonly<Record<string, string>>,
  says: RegExp,
  next: RegExp,
])[] = [
  [
    'a syntax error',
    { 'tidemark.config.ts': `export default {\n  name: 'shop'\n  title: 'x',\n}` },
    /tidemark\.config\.ts, line 3: Unexpected token, expected ","   PROJECT_SYNTAX$/,
    /correct line 3 of /,
  ],
  [
    'a syntax error in JavaScript',
    { 'tidemark.config.mjs': `export default {\n  name: 'shop'\n  title: 'x',\n}` },
    /tidemark\.config\.mjs, line 3: Unexpected token/,
    /correct line 3 of /,
  ],
  [
    'a syntax error in a file that is imported',
    { 'tidemark.config.ts': `import './part.ts'\nexport default {}`, 'part.ts': 'const =' },
    /part\.ts, line 1: Unexpected token/,
    /correct line 1 of .*part\.ts/,
  ],
  [
    'an unknown key',
    { 'tidemark.config.ts': `export default { modles: {} }` },
    /tidemark\.config\.ts: the default export has an unknown key modles: did you mean models\?/,
    /correct it in/,
  ],
  [
    'an unknown key far inside',
    {
      'tidemark.config.ts': `export default { models: { dim_a: { key: 'id', checks: [{ name: 'a', colunm: 'b', holds: 'c' }] } } }`,
    },
    /: models\.dim_a\.checks\.0 has an unknown key colunm: did you mean column\?/,
    /correct it in/,
  ],
  [
    'an unknown key like no other',
    { 'tidemark.config.ts': `export default { mirror: { colour: 'red' } }` },
    /: mirror has an unknown key colour; its keys are select, exclude, newTables/,
    /correct it in/,
  ],
  [
    'a value of another kind',
    { 'tidemark.config.json': '{ "source": { "tables": { "sale": { "key": 5 } } } }' },
    /: source\.tables\.sale\.key must be a column or a list of columns/,
    /correct it in/,
  ],
  [
    'a key that is missing',
    { 'tidemark.config.ts': `export default { models: { dim_a: {} } }` },
    /: models\.dim_a\.key is missing: it must be a column or a list of columns/,
    /correct it in/,
  ],
  [
    'an export that is not a project',
    { 'tidemark.config.ts': `export default () => ({})` },
    /: the default export must be an object/,
    /correct it in/,
  ],
  [
    'no default export',
    { 'tidemark.config.ts': `export const project = {}` },
    /tidemark\.config\.ts has no default export/,
    /export default defineProject\(\{\}\)/,
  ],
  [
    'an empty file',
    { 'tidemark.config.ts': '\n' },
    /tidemark\.config\.ts is empty/,
    /export default defineProject\(\{\}\)/,
  ],
  [
    'an empty JSON file',
    { 'tidemark.config.json': '' },
    /tidemark\.config\.json is empty/,
    / is \{\}/,
  ],
  [
    'JSON with a comment',
    { 'tidemark.config.json': '{\n  // ours\n  "name": "shop"\n}' },
    /tidemark\.config\.json, line 2: a comment, which JSON does not have/,
    /remove it, or rename the file tidemark\.config\.ts/,
  ],
  [
    'JSON with a comment after a value',
    { 'tidemark.config.json': '{\n  "name": /* ours */ "shop"\n}' },
    /tidemark\.config\.json, line 2: a comment/,
    /remove it/,
  ],
  [
    'JSON with a comma too many',
    { 'tidemark.config.json': '{\n  "tests": [\n    "a",\n  ]\n}' },
    /tidemark\.config\.json, line 4: Unexpected token/,
    /correct line 4 of/,
  ],
  [
    'JSON that ends early',
    { 'tidemark.config.json': '{\n  "name": "shop"\n' },
    /tidemark\.config\.json, line 3: Expected ',' or '\}' after property value   /,
    /correct line 3 of/,
  ],
  [
    'a config that throws',
    {
      'tidemark.config.ts': `type A = {\n  b: string\n}\nconst make = (): A => {\n  throw new RangeError('No region\\nis set')\n}\nexport default make()`,
    },
    /tidemark\.config\.ts, line 5: RangeError: No region   PROJECT_FAILED/,
    /correct .*so that it can be loaded/,
  ],
  [
    'a config that throws a text',
    { 'tidemark.config.ts': `throw 'No region'` },
    /tidemark\.config\.ts: No region   PROJECT_FAILED/,
    /correct /,
  ],
  [
    'an import that is not there',
    { 'tidemark.config.ts': `import { a } from './nowhere.ts'\nexport default { a }` },
    /tidemark\.config\.ts, line 1: Cannot find module '\.\/nowhere\.ts'/,
    /correct the name in the import/,
  ],
  [
    'two config files',
    { 'tidemark.config.ts': '', 'tidemark.config.json': '' },
    /has 2 config files: tidemark\.config\.json, tidemark\.config\.ts/,
    /keep one of them/,
  ],
  [
    'a model without a file',
    { 'tidemark.config.ts': `export default { models: { dim_a: { key: 'id' } } }` },
    /tidemark\.config\.ts: models declares dim_a, but there is no file models\/dim_a\.sql/,
    /write that file/,
  ],
  [
    'a file without a declaration',
    { 'tidemark.config.ts': `export default { ${SALE} }`, 'models/fact_sale.sql': '' },
    /tidemark\.config\.ts: The file models\/fact_sale\.sql is not declared/,
    /declare fact_sale in models/,
  ],
  [
    'a file that is neither fact nor dimension',
    { 'tidemark.config.ts': `export default { ${SALE} }`, 'models/sale.sql': '' },
    /models\/sale\.sql is neither a fact nor a dimension/,
    /rename it to models\/fact_sale\.sql or models\/dim_sale\.sql/,
  ],
  [
    'a reference to nothing',
    {
      'tidemark.config.ts': `export default { ${SALE}, models: { fact_sale: { key: 'id', from: 'sale', references: { a: 'dim_a' } } } }`,
      'models/fact_sale.sql': '',
    },
    /tidemark\.config\.ts: Fact fact_sale refers to dim_a, which is not a declared dimension/,
    /declare the dimension/,
  ],
  [
    'no source',
    { 'tidemark.config.json': '{ "title": "the shop" }' },
    /TIDEMARK_SOURCE_URL is not set, and the shop needs a database to read/,
    /set TIDEMARK_SOURCE_URL to the address of the shop, in .*\.env/,
  ],
  ['nothing', {}, /There is no tidemark\.config\.ts in /, /name the folder of a project/],
]

describe.each(['status', 'run'])('tidemark %s --project', (command) => {
  it.each(MISTAKES)(
    'refuses %s in a few lines, and writes nothing',
    async (_, files, says, next) => {
      write(files)
      const names = readdirSync(folder).toSorted()
      const { code, out, err } = await tidemark([command, '--project', folder])
      expect(code).toBe(2)
      expect(out).toBe('')
      const [message = '', hint = '', ...rest] = err.trimEnd().split('\n')
      expect(message).toMatch(says)
      expect(hint).toMatch(/^ {2}Next: /)
      expect(hint).toMatch(next)
      expect(rest).toEqual([])
      expect(readdirSync(folder).toSorted()).toEqual(names)
    },
  )
})

describe('tidemark', () => {
  it('takes patterns as options that may be repeated, and refuses them for other projects', async () => {
    const { code, err } = await tidemark(
      ['status', '--select', 'a.*', '--select', 'b', '--exclude', 'c'],
      { env: { TIDEMARK_PROJECT: TOTESYS_PROJECT } },
    )
    expect(code).toBe(2)
    expect(err).toContain('TIDEMARK_SELECT, TIDEMARK_EXCLUDE cannot be used')
  })

  it('completes the tables of the project', async () => {
    write({ 'tidemark.config.json': '{ "source": { "tables": { "my_sale": { "key": "id" } } } }' })
    const { code, out } = await tidemark(['completion', 'bash', '--project', folder])
    expect(code).toBe(0)
    expect(out).toContain('my_sale')
    expect(out).not.toContain('sales_order')
    const found = await tidemark(['completion', 'bash'], { env: { TIDEMARK_PROJECT: folder } })
    expect(found.out).toBe(out)
  })
})
