import { readQuestions } from '../../src/platform/presentation/question.ts'
import { totesys } from '../../src/totesys/totesys.ts'

/**
 * The names of Totesys: its own, those of its tables and their star tables, of its questions, of what
 * its API is about, and of its group of users. Tables whose names are also plain English count only
 * where they are quoted. `currency` is left out: the platform's units have currencies too.
 */
export function namesOfTotesys(): RegExp[] {
  const plain = new Set(['address', 'department', 'design', 'transaction'])
  const { source, models, presentation } = totesys
  const tables = [
    ...source.tables.map(({ name }) => name).filter((name) => name !== 'currency'),
    ...(source.feeds ?? []).map(({ name }) => name),
    // Every project may call its calendar so.
    ...models.map(({ table }) => table).filter((name) => name !== 'dim_date'),
  ]
  const questions = (presentation?.questions ?? [])
    .flatMap((folder) => [...readQuestions(folder).keys()])
    .filter((name) => /^[spry]\d/.test(name))
  return [
    /totesys/i,
    /\bpayments\b/i,
    /\bcounterparties\b/i,
    /\bfinance\b/,
    /\bunits_sold\b/,
    ...questions.map((name) => new RegExp(`\\b${name}\\b`)),
    ...tables.map((name) =>
      plain.has(name) ? new RegExp(`['"\`]${name}['"\`]`) : new RegExp(`\\b${name}\\b`, 'i'),
    ),
  ]
}
