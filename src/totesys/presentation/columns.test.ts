import { expect, it } from 'vitest'
import { readQuestions } from '../../platform/presentation/question.ts'
import { units } from './columns.ts'
import { dashboard } from './pages.ts'

const questions = dashboard.questions.flatMap((folder) => [...readQuestions(folder).values()])

it('every column of money says where its currency stands', () => {
  const money = questions.flatMap(({ name, sql }) =>
    [...sql.matchAll(/::numeric\(\d+, 2\) as (\w+)/g)].map(([, column = '']) => [name, column]),
  )
  expect(money.length).toBeGreaterThan(30)
  const without = money.filter(([, column = '']) => typeof units[column] !== 'object')
  expect(without).toEqual([])
})

it('every question with a column of money has the column with its currency', () => {
  const without = questions.flatMap(({ name, sql }) => {
    const columns = new Set([...sql.matchAll(/ as (\w+)/g)].map(([, column = '']) => column))
    return [...sql.matchAll(/::numeric\(\d+, 2\) as (\w+)/g)].flatMap(([, column = '']) => {
      const unit = units[column]
      const isSaid = typeof unit === 'object' && unit.currency.some((each) => columns.has(each))
      return isSaid ? [] : [`${name}: ${column}`]
    })
  })
  expect(without).toEqual([])
})
