import { describe, expect, it } from 'vitest'
import config from '../../totesys/tidemark.config.ts'
import { findProjectFault } from './project-schema.ts'

/** A dashboard with one page of panels, one filter and one list. */
const dashboard = (change: {
  panel?: object
  chart?: object
  filter?: object
  list?: object
  links?: object
  units?: object
}) => ({
  presentation: {
    pages: [
      {
        path: '/',
        title: 'Sales',
        summary: 'All.',
        filters: [],
        panels: [
          {
            question: 'q',
            leads: { to: '/' },
            chart: { kind: 'table', columns: ['a'], ...change.chart },
            ...change.panel,
          },
        ],
      },
    ],
    filters: [
      { kind: 'choice', name: 'item', label: 'Item', options: 'o', all: 'All', ...change.filter },
    ],
    labels: {},
    links: change.links ?? {},
    units: change.units ?? {},
    lists: [
      {
        name: 'sale',
        title: 'Sales',
        summary: 'All.',
        sql: 'list.sql',
        columns: ['id'],
        key: 'id',
        sorts: { id: 'integer' },
        sort: { column: 'id', isDescending: true },
        filters: [],
        own: [{ kind: 'text', name: 'words', label: 'Words' }],
        page: '/',
        ...change.list,
      },
    ],
  },
})

describe('findProjectFault()', () => {
  it('finds none in Totesys, in a small dashboard, and in nothing at all', () => {
    expect(findProjectFault(config)).toBeUndefined()
    expect(findProjectFault(dashboard({}))).toBeUndefined()
    expect(findProjectFault({})).toBeUndefined()
    expect(
      findProjectFault(
        dashboard({
          links: { id: { by: 'kind', to: { a: '/a' } } },
          units: { id: { currency: ['c'] } },
        }),
      ),
    ).toBeUndefined()
  })

  it.each([
    [null, 'the default export must be an object'],
    [{ source: { tables: { a: { key: [] } } } }, 'source.tables.a.key must name a column'],
    [
      { source: { tables: { a: { key: 'id', columns: { id: { typ: 'text' } } } } } },
      'source.tables.a.columns.id has an unknown key typ: did you mean type?',
    ],
    [
      {
        source: { tables: { a: { key: 'id', columns: { id: { type: 'text', formerly: 'x' } } } } },
      },
      'source.tables.a.columns.id.formerly must be a list of texts',
    ],
    [
      { source: { tables: { a: { key: 'id', columns: { id: 5 } } } } },
      'source.tables.a.columns.id must be a Postgres type, or { type, formerly }',
    ],
    [
      {
        models: {
          fact_a: { key: 'id', references: [{ columns: ['a'], dimension: 'b', colums: [] }] },
        },
      },
      'models.fact_a.references.0 has an unknown key colums: did you mean columns?',
    ],
    [
      { models: { fact_a: { key: 'id', references: 5 } } },
      'models.fact_a.references must be dimensions by column, or a list of { columns, dimension }',
    ],
    [
      { models: { dim_a: { key: 'id', calendar: false } } },
      'models.dim_a.calendar must be true, or left out',
    ],
    [
      {
        models: {
          dim_a: { key: 'id', checks: [{ name: 'a', column: 'a', holds: 'a', severity: 'stop' }] },
        },
      },
      'models.dim_a.checks.0.severity must be warn or refuse',
    ],
    [{ mirror: 'yes' }, 'mirror must be true, false or an object'],
    [
      { mirror: { tables: { a: { nam: 'b' } } } },
      'mirror.tables.a has an unknown key nam: did you mean name?',
    ],
    [{ name: '' }, 'name must not be empty'],
    [
      dashboard({ chart: { kind: 'pie' } }),
      /^presentation\.pages\.0\.panels\.0\.chart\.kind must be one of cards, /,
    ],
    [
      dashboard({ panel: { chart: 'table' } }),
      /^presentation\.pages\.0\.panels\.0\.chart must be an object/,
    ],
    [
      dashboard({ chart: { kind: 'table', colums: ['a'] } }),
      'presentation.pages.0.panels.0.chart has an unknown key colums: did you mean columns?',
    ],
    [
      dashboard({ chart: { limit: 0 } }),
      'presentation.pages.0.panels.0.chart.limit must be at least 1',
    ],
    [dashboard({ filter: { kind: 'moment' } }), /^presentation\.filters\.0 has an unknown key all/],
    [dashboard({ list: { sql: 5 } }), 'presentation.lists.0.sql must be a path or a URL'],
    [dashboard({ links: { id: 5 } }), 'presentation.links.id must be a path, or { by, to }'],
    [dashboard({ units: { id: {} } }), /^presentation\.units\.id/],
  ])('finds the fault in %j', (value, wanted) => {
    expect(findProjectFault(value)).toMatch(wanted)
  })
})
