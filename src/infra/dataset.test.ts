import { describe, expect, it } from 'vitest'
import { parseQuestion, readQuestions } from '../platform/presentation/question.ts'
import { analyses } from '../totesys/presentation/analyses.ts'
import { type DataSet, dataSetOf, dataSetsOf } from './dataset.ts'
import { EVERYTHING } from './synthesize.ts'
import { stackOf, templatesOf } from './template-facts.ts'
import { resourcesOf } from './template.ts'

const [folder] = analyses.questions
const questions = readQuestions(folder!)
const sets = dataSetsOf(questions.values(), analyses)

function set(name: string): DataSet {
  const found = sets.find((one) => one.name === name)
  if (found === undefined) throw new Error(`there is no data set ${name}`)
  return found
}

describe('dataSetOf()', () => {
  it('takes the columns from the last select, casts over several lines included', () => {
    expect(set('o01_freshness').columns).toEqual([
      { name: 'batch_id', type: 'INTEGER' },
      { name: 'snapshot_at', type: 'DATETIME' },
      { name: 'loaded_at', type: 'DATETIME' },
      { name: 'lag_seconds', type: 'DECIMAL' },
      { name: 'seconds_since_previous', type: 'DECIMAL' },
      { name: 'is_within_promise', type: 'BOOLEAN' },
      { name: 'is_simulated', type: 'BOOLEAN' },
    ])
  })

  it('splits at the commas of the list only', () => {
    const question = parseQuestion(
      "-- q: Q?\n-- Grain: one row.\n-- Filters: none\n\nselect\n    coalesce(a, ',')::text as a,\n    b::numeric(20, 2) as b\nfrom c\n",
    )
    expect(dataSetOf(question).columns).toEqual([
      { name: 'a', type: 'STRING' },
      { name: 'b', type: 'DECIMAL' },
    ])
  })

  it('refuses a question whose columns it cannot tell', () => {
    const question = parseQuestion(
      '-- q: Q?\n-- Grain: one row.\n-- Filters: none\nselect\n    a\nfrom c\n',
    )
    expect(() => dataSetOf(question)).toThrow(/last select of the question q does not cast/)
  })
})

describe('data sets', () => {
  it('are all questions that are not about one thing', () => {
    const left = [...questions.keys()].filter((name) => !sets.some((one) => one.name === name))
    expect(left).toEqual(['s12_order_versions', 's15_books_as_of'])
  })

  it.each(sets.map((one) => [one.name, one] as const))('%s has no variable left', (_, { sql }) => {
    expect(sql).not.toMatch(/:'|\$\d|^--/)
    expect(sql).not.toMatch(/;\s*$/)
  })

  it('show payments to finance alone, and give nobody the source', () => {
    const template = stackOf(templatesOf(EVERYTHING), 'QuickSight')
    for (const [, properties] of resourcesOf(template, 'AWS::QuickSight::DataSet')) {
      const { DataSetId, Permissions } = properties as {
        DataSetId: string
        Permissions: { Principal: string }[]
      }
      const isReserved = set(DataSetId.replace('tidemark-', '')).isReserved
      expect(Permissions.map(({ Principal }) => Principal)).toEqual([
        isReserved ? EVERYTHING.quicksightFinance : EVERYTHING.quicksightAnalyst,
      ])
    }
    const [[, source] = []] = resourcesOf(template, 'AWS::QuickSight::DataSource')
    expect(source).toMatchObject({ Type: 'POSTGRESQL', SslProperties: { DisableSsl: false } })
    expect(source).not.toHaveProperty('Permissions')
    expect(set('y01_last_payments').isReserved).toBe(true)
    expect(set('s01_sales_by_currency').isReserved).toBe(false)
  })
})
