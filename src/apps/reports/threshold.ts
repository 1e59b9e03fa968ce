import { ContractError } from '../../platform/errors.ts'
import type { Answer } from '../../platform/presentation/answer.ts'
import type { ResultColumn } from '../../platform/presentation/cursor.ts'
import { addDecimals, withoutExponent } from '../../platform/presentation/decimal.ts'
import { invalid, type ThresholdRule, type Threshold } from './declaration.ts'
import { askSaved } from './saved-subject.ts'
import { findSubject, type Subject, type SubjectOptions } from './subject.ts'

/** The present value of a watched figure. */
export interface Figure {
  /** The exact sum, as a decimal number; 0 if there is no row. */
  readonly value: string
  readonly isCrossed: boolean
  /** The rows that were added up. */
  readonly rows: Rows
  readonly subject: Subject
}

type Rows = Pick<Answer, 'columns' | 'rows' | 'isTruncated'>

/**
 * Reads the figure that a threshold watches: the exact sum of a column over the rows with the
 * declared values. A null counts as 0. Throws `ConfigError` (`REPORT_INVALID`) as `findSubject` does,
 * and for a column that the question does not have or that holds no numbers. Throws `ContractError`
 * for rows that cannot be added up, and what `Answers.answer` or `askSaved` throws.
 */
export async function readFigure(threshold: Threshold, options: SubjectOptions): Promise<Figure> {
  const subject = await findSubject(threshold, options)
  const answer = await answerOf(subject, options)
  const rows = rowsOf(threshold, { subject, answer })
  const place = answer.columns.findIndex(({ name }) => name === threshold.column)
  if (answer.isTruncated) {
    throw new ContractError(`${threshold.name}: the question has too many rows to add up`, {
      code: 'REPORT_TOO_LONG',
      hint: 'give the threshold filters in the reports file',
    })
  }
  const cells = rows.flatMap((row) => withoutExponent(row[place] ?? '0') ?? [])
  if (cells.length < rows.length) {
    throw new ContractError(`${threshold.name}: a figure is not a finite number`, {
      code: 'REPORT_NO_NUMBER',
      hint: `look at the column ${threshold.column} of ${threshold.question ?? threshold.saved}`,
    })
  }
  const value = addDecimals(['0', ...cells])
  return {
    value,
    isCrossed: compare(value, threshold),
    rows: { ...answer, rows },
    subject,
  }
}

async function answerOf(subject: Subject, { presentation }: SubjectOptions): Promise<Rows> {
  if (subject.saved !== undefined) return await askSaved(subject, presentation)
  const { question, selection } = subject
  if (question === undefined) throw new TypeError('a threshold names no question')
  return await presentation.answers.answer(question, selection.filters)
}

/** The rows with the declared values. Throws if a column does not exist or holds no numbers. */
function rowsOf(
  threshold: Threshold,
  { subject, answer: { columns, rows } }: { subject: Subject; answer: Rows },
): Rows['rows'] {
  const places = new Map(columns.map(({ name }, place) => [name, place]))
  const named = [threshold.column, ...Object.keys(threshold.rows)]
  const faults = [
    ...named
      .filter((name) => !places.has(name))
      .map((name) => `the question has no column “${name}”; ${describeColumns(subject, columns)}`),
    ...named
      .filter((name) => columns.filter((column) => column.name === name).length > 1)
      .map((name) => `the question has several columns “${name}”`),
  ]
  const column = columns.find(({ name }) => name === threshold.column)
  if (column !== undefined && column.kind !== 'number') {
    faults.push(`column: ${column.name} holds no numbers`)
  }
  if (faults.length > 0) throw invalid(threshold, faults)
  const wanted = Object.entries(threshold.rows)
  return rows.filter((row) =>
    wanted.every(([name, value]) => row[places.get(name) ?? -1] === value),
  )
}

/** Which columns there are. In a person's SQL a name may hold anything, so no log may hold the names. */
function describeColumns({ saved, path }: Subject, columns: readonly ResultColumn[]): string {
  if (saved !== undefined) return `see its columns at ${path}`
  return `it has ${columns.map(({ name }) => name).join(', ')}`
}

function compare(figure: string, { is, value }: { is: ThresholdRule; value: string }): boolean {
  const negated = value.startsWith('-') ? value.slice(1) : `-${value}`
  const difference = addDecimals([figure, negated])
  const sign = /^-?[0.]+$/.test(difference) ? 0 : difference.startsWith('-') ? -1 : 1
  if (is === 'over') return sign > 0
  if (is === 'under') return sign < 0
  return is === 'at least' ? sign >= 0 : sign <= 0
}
