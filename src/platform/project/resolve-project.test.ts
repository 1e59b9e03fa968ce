import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ConfigError } from '../errors.ts'
import { defineProject, type ProjectConfig } from './project-config.ts'
import { resolveProject } from './resolve-project.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-project-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function write(...files: string[]): void {
  for (const file of files) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), 'select 1')
  }
}

const resolve = (config: ProjectConfig, name = '.') =>
  resolveProject(config, pathToFileURL(`${join(folder, name)}/`))

/** The message and the hint of the refusal. */
function refusal(config: ProjectConfig): string {
  try {
    resolve(config)
  } catch (error) {
    const { code, message, hint } = error as ConfigError
    return code === 'PROJECT_INVALID' ? `${message} | ${hint}` : `code ${code}`
  }
  return 'taken'
}

const tables = { sale: { key: 'id' }, item: { key: 'id' } }

describe('resolveProject()', () => {
  it('fills in every default of a project without a word', () => {
    for (const [name, wanted] of [
      ['My Shop', 'my_shop'],
      ['2024', 'project_2024'],
      ['--', 'project'],
      ['Größe', 'gr_e'],
    ] as const) {
      mkdirSync(join(folder, name))
      expect(resolve(defineProject({}), name)).toEqual({
        name: wanted,
        title: wanted,
        source: { schema: 'public', tables: [] },
        models: [],
        mirror: {},
      })
    }
  })

  it('finds the SQL of models, tests and migrations, and orders the models', () => {
    write('models/dim_day.sql', 'models/fact_sale.sql', 'models/dim_item.sql')
    write('tests/odd #1.sql', 'warehouse/001_star.sql')
    const project = resolve({
      name: 'shop',
      title: 'the shop',
      source: {
        schema: 'sales',
        tables: {
          ...tables,
          old: { key: ['a', 'b'], schema: 'archive', relation: 'x', exclude: ['c'] },
        },
        feeds: { price: { key: 'day', columns: { day: 'date' } } },
      },
      models: {
        dim_day: { key: 'day', calendar: true },
        fact_sale: {
          key: 'id',
          from: 'sale',
          references: { item_id: 'dim_item', sold_on: 'dim_day' },
          description: 'What was sold',
        },
        dim_item: { key: 'id', nullable: ['note'] },
      },
      tests: ['odd #1'],
    })
    const at = (path: string) => pathToFileURL(join(folder, path))
    expect(project).toEqual({
      name: 'shop',
      title: 'the shop',
      source: {
        schema: 'sales',
        tables: [
          { name: 'sale', key: ['id'] },
          { name: 'item', key: ['id'] },
          { name: 'old', key: ['a', 'b'], schema: 'archive', relation: 'x', exclude: ['c'] },
        ],
        feeds: [{ name: 'price', key: ['day'], columns: { day: 'date' } }],
      },
      models: [
        {
          kind: 'dimension',
          table: 'dim_item',
          sql: at('models/dim_item.sql'),
          key: ['id'],
          nullable: ['note'],
        },
        {
          kind: 'fact',
          table: 'fact_sale',
          sql: at('models/fact_sale.sql'),
          key: ['id'],
          from: 'sale',
          recordId: 'sale_record_id',
          references: [
            { columns: ['item_id'], dimension: 'dim_item' },
            { columns: ['sold_on'], dimension: 'dim_day' },
          ],
          description: 'What was sold',
        },
        { kind: 'calendar', table: 'dim_day', sql: at('models/dim_day.sql'), key: ['day'] },
      ],
      tests: [{ name: 'odd #1', sql: at('tests/odd #1.sql') }],
      warehouse: { migrations: new URL('warehouse/', pathToFileURL(`${folder}/`)) },
    })
  })

  it('finds questions and lists of a dashboard by their paths', () => {
    write('presentation/q.sql', 'more/q.sql', 'list.sql')
    const list = {
      name: 'sale',
      title: 'Sales',
      summary: 'All.',
      columns: [],
      key: 'id',
      sorts: {},
      sort: { column: 'id', isDescending: true },
      filters: [],
      own: [],
      page: '/',
    }
    const pages = { pages: [], filters: [], labels: {}, links: {} }
    const near = resolve({ presentation: { ...pages, lists: [{ ...list, sql: 'list.sql' }] } })
    expect(near.presentation?.questions.map((url) => fileURLToPath(url))).toEqual([
      join(folder, 'presentation/'),
    ])
    expect(near.presentation?.lists?.[0]?.sql).toEqual(pathToFileURL(join(folder, 'list.sql')))
    const url = pathToFileURL(join(folder, 'more/'))
    expect(
      resolve({ presentation: { ...pages, questions: ['more', url] } }).presentation?.questions,
    ).toEqual([url, url])
    expect(refusal({ presentation: { ...pages, questions: ['none'] } })).toMatch(
      /^There is no folder none /,
    )
    expect(
      refusal({ presentation: { ...pages, lists: [{ ...list, sql: new URL('none.sql', url) }] } }),
    ).toMatch(/^There is no file .*more\/none\.sql/)
  })

  it('is a mirror if the project says so, or declares nothing else', () => {
    write('models/dim_item.sql')
    const models = { dim_item: { key: 'id' } }
    expect(resolve({ models }).mirror).toBeUndefined()
    rmSync(join(folder, 'models'), { recursive: true })
    expect(resolve({ mirror: true }).mirror).toEqual({})
    expect(resolve({ mirror: { select: ['a.*'] } }).mirror).toEqual({ select: ['a.*'] })
    expect(resolve({ mirror: false }).mirror).toBeUndefined()
    expect(resolve({ source: { tables } }).mirror).toBeUndefined()
    expect(refusal({ mirror: true, source: { tables } })).toMatch(
      /^A mirror .* cannot declare sale too/,
    )
  })

  it.each<[string, ProjectConfig, string[], RegExp]>([
    ['a name with a capital', { name: 'Shop' }, [], /^The name Shop is not valid/],
    [
      'a model without a file',
      { models: { dim_a: { key: 'id' } } },
      [],
      /no file models\/dim_a\.sql/,
    ],
    [
      'a file without a declaration',
      {},
      ['models/dim_a.sql'],
      /^The file models\/dim_a\.sql is not declared \| declare dim_a in models/,
    ],
    [
      'a file that is neither fact nor dimension',
      {},
      ['models/a.sql'],
      /^The file models\/a\.sql is neither/,
    ],
    [
      'a model that is neither fact nor dimension',
      { models: { a: { key: 'id' } } },
      ['models/a.sql'],
      /^The model a is neither .* call it fact_a or dim_a/,
    ],
    ['a test without a file', { tests: ['x'] }, [], /no file tests\/x\.sql/],
    [
      'a test without a declaration',
      {},
      ['tests/x.sql'],
      /tests\/x\.sql is not declared \| add 'x' to tests/,
    ],
    [
      'a fact that is made from nothing',
      { models: { fact_a: { key: 'id' } } },
      ['models/fact_a.sql'],
      /^The fact fact_a does not say/,
    ],
    [
      'a fact that is a calendar',
      { models: { fact_a: { key: 'id', from: 'sale', calendar: true } } },
      ['models/fact_a.sql'],
      /cannot be a calendar/,
    ],
    [
      'a dimension with sums',
      { models: { dim_a: { key: 'id', from: 'sale' } } },
      ['models/dim_a.sql'],
      /^The dimension dim_a has from/,
    ],
    [
      'a fact from an undeclared table',
      { models: { fact_a: { key: 'id', from: 'none' } } },
      ['models/fact_a.sql'],
      /made from none, which is not a declared/,
    ],
    [
      'a headline that is not there',
      { source: { tables }, models: { fact_a: { key: 'id', from: 'sale', headline: 'h.sql' } } },
      ['models/fact_a.sql'],
      /^There is no file h\.sql/,
    ],
  ])('refuses %s', (_, config, files, wanted) => {
    write(...files)
    expect(refusal(config)).toMatch(wanted)
  })

  it('takes references as a list, for a key of several columns', () => {
    write('models/fact_sale.sql', 'models/dim_copy.sql', 'headline.sql')
    const references = [{ columns: ['isbn', 'number'], dimension: 'dim_copy' }]
    const { models } = resolve({
      source: { tables },
      models: {
        dim_copy: { key: ['isbn', 'number'] },
        fact_sale: {
          key: 'id',
          from: 'sale',
          recordId: 'no',
          references,
          headline: 'headline.sql',
        },
      },
    })
    expect(models[1]).toMatchObject({
      recordId: 'no',
      references,
      headline: pathToFileURL(join(folder, 'headline.sql')),
    })
  })
})
