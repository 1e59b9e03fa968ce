import type { Answer } from '../../platform/presentation/answer.ts'
import type { ResultColumn } from '../../platform/presentation/cursor.ts'
import type { Freshness } from '../../platform/presentation/freshness.ts'
import type { Question } from '../../platform/presentation/question.ts'
import type { CardsChart, Chart, ConversionChart } from '../../platform/project/chart.ts'
import type { Dashboard, Panel } from '../../platform/project/dashboard.ts'
import {
  formatCount,
  formatDecimal,
  formatDuration,
  formatMomentUtc,
  formatShare,
  shorten,
} from '../format.ts'
import { columnOf, formatCell, isQuantity } from '../server/pages/answer-rows.ts'
import { cardsOf, conversionOf, type Delta } from '../server/pages/card-figures.ts'
import { againstOf } from '../server/pages/panel.ts'
import { splitTable, tableOf as answerTable } from '../server/charts/answer-table.ts'
import { hasComparison, sayIncomparable } from '../server/charts/dumbbell.ts'
import type { Report, Threshold } from './declaration.ts'
import type { Letter, LetterTable, Section } from './letter.ts'
import { describeSchedule } from './schedule.ts'
import { askSaved, type SavedSubject } from './saved-subject.ts'
import {
  describeSelection,
  findSubject,
  labelsOf,
  maySeeOn,
  type ProjectSubject,
  type Subject,
  type SubjectOptions,
} from './subject.ts'
import type { Figure } from './threshold.ts'

/** What letters are composed from. */
export interface ComposeOptions extends SubjectOptions {
  /** Where people open the pages, without a slash at the end. */
  readonly pagesUrl: string
}

/** The slot for which a report is sent. */
export interface Slot {
  readonly at: Date
  /** Whether its time is long over. */
  readonly isLate: boolean
}

/** Rows of each table in the mail of a page, and in the mail of a single question. */
const PANEL_ROWS = 10
const QUESTION_ROWS = 25
/** Rows of each series over time in the mail of a page. */
const NEWEST_ROWS = 4
/** Longer texts are cut. */
const CELL_CHARS = 40

/**
 * Composes the mail of a report, with its figures as of now. Throws `ConfigError` (`REPORT_INVALID`)
 * as `findSubject` does, and what an answer throws: a mail never has only some of its figures.
 */
export async function composeReport(
  report: Report,
  { slot, ...options }: ComposeOptions & { readonly slot: Slot | undefined },
): Promise<Letter> {
  const subject = await findSubject(report, options)
  const freshness = await options.presentation.freshness()
  const sections =
    subject.saved === undefined
      ? await composePage({ report, subject, options })
      : [await composeSaved(subject, options)]
  const { title } = subject
  const day = freshness.completeTo.slice(0, 10)
  const late =
    slot?.isLate === true
      ? [['Sent late', `it was due at ${formatMomentUtc(slot.at.toISOString())}`] as const]
      : []
  return {
    subject: `${title} · ${day}${slot?.isLate === true ? ' · late' : ''}`,
    title,
    facts: [...late, ...factsOf(subject, { freshness, options })],
    sections,
    link: linkOf(subject, options),
    foot:
      slot === undefined
        ? `The report ${report.name} was sent by hand.`
        : `The report ${report.name} is sent ${describeSchedule(report.schedule)}. To change or stop it, ask the people who run Tidemark.`,
  }
}

/** What a threshold's mail is about. */
export interface Crossed {
  readonly isCrossed: boolean
  /** Whether a person asked for the mail, so that nothing need have been crossed. */
  readonly isByHand?: boolean
  /** When the crossing was noticed. */
  readonly at: Date
  /** The figure at that moment, as a decimal number. */
  readonly figure: string
  /** Whether the mail comes long after that moment. */
  readonly isLate: boolean
}

/** Composes the mail of a threshold that was crossed, or whose figure is back. Throws as reports do. */
export async function composeThreshold(
  threshold: Threshold,
  { crossed, figureNow, ...options }: ComposeOptions & { crossed: Crossed; figureNow: Figure },
): Promise<Letter> {
  const { dashboard, presentation } = options
  const { subject, rows } = figureNow
  const { column, is, value, name } = threshold
  const freshness = await presentation.freshness()
  const label = labelsOf(dashboard)
  const limit = formatDecimal(value)
  const figure = formatDecimal(crossed.figure)
  const isByHand = crossed.isByHand === true
  const not = crossed.isCrossed ? '' : isByHand ? 'not ' : 'no longer '
  const says = `is ${not}${is} ${limit}`
  const where = Object.entries(threshold.rows).map(([key, wanted]) => `${label(key)} ${wanted}`)
  const late = crossed.isLate
    ? [['Sent late', `noticed at ${formatMomentUtc(crossed.at.toISOString())}`] as const]
    : []
  return {
    subject: `${name}: ${figure} ${says}`,
    title: `${name} ${says}`,
    facts: [
      ...late,
      ['Question', subject.title],
      [
        'Figure',
        `${label(column)} ${figure}, noticed at ${formatMomentUtc(crossed.at.toISOString())}`,
      ],
      ['Now', figureNow.value === crossed.figure ? 'the same' : formatDecimal(figureNow.value)],
      ['Threshold', `${is} ${limit}`],
      ...(where.length === 0 ? [] : [['Rows with', where.join(', ')] as const]),
      ...factsOf(subject, { freshness, options }),
    ],
    sections: [
      {
        title: 'The rows behind the figure',
        lines: rows.rows.length === 0 ? ['No rows.'] : [],
        table: tableOf(rows, { columns: rows.columns, limit: QUESTION_ROWS, label }),
      },
    ],
    link: linkOf(subject, options),
    foot: isByHand
      ? `The mail of the threshold ${name} was sent by hand.`
      : `The threshold ${name} sends one mail when it is crossed and one when the figure is back. To change or stop it, ask the people who run Tidemark.`,
  }
}

function factsOf(
  subject: Subject,
  { freshness, options }: { freshness: Freshness; options: ComposeOptions },
): (readonly [string, string])[] {
  const { completeTo, lagMs, promiseMs, isFresh } = freshness
  const age = `${formatMomentUtc(completeTo)}, ${formatDuration(lagMs)} before this mail was made`
  const missed = isFresh ? '' : `; older than the promised ${formatDuration(promiseMs)}`
  return [
    ...(subject.saved === undefined
      ? selectionFacts(subject, options.dashboard)
      : savedFacts(subject)),
    ['Complete to', `${age}${missed}`],
  ]
}

function selectionFacts(
  subject: ProjectSubject,
  dashboard: Dashboard,
): (readonly [string, string])[] {
  const { period, others } = describeSelection(subject, dashboard)
  const { filters } = subject.selection
  const asOf = filters['as_of']
  return [
    ...(period === undefined ? [] : [['Period', period] as const]),
    ...(others.length === 0 ? [] : [['Filters', others.join(', ')] as const]),
    ['As of', asOf === undefined ? (filters['today'] ?? '') : formatMomentUtc(asOf)],
  ]
}

/** Without a login there is one author, who has no name. */
function savedFacts({ saved, given, filters }: SavedSubject): (readonly [string, string])[] {
  const { author, savedAt } = saved
  const others = Object.entries(given).map(([name, value]) => `${name}: ${writeText(value)}`)
  const by = author === 'local' ? '' : `by ${inOneLine(author)} `
  return [
    ['Saved', `${by}at ${formatMomentUtc(savedAt)}`],
    ...(others.length === 0 ? [] : [['Filters', others.join(', ')] as const]),
    ['As of', filters['today'] ?? ''],
  ]
}

function linkOf({ path }: Subject, { pagesUrl }: ComposeOptions): Letter['link'] {
  return path === undefined
    ? undefined
    : { href: `${pagesUrl}${path}`, says: 'Open the page with these filters' }
}

async function composeSaved(subject: SavedSubject, options: ComposeOptions): Promise<Section> {
  const answer = await askSaved(subject, options.presentation)
  const { columns, rows } = answer
  return {
    title: 'Rows',
    lines: rows.length === 0 ? ['No rows.'] : [],
    table: tableOf(answer, { columns, limit: QUESTION_ROWS, label: labelsOf(options.dashboard) }),
  }
}

interface PanelContext {
  readonly report: Report
  readonly subject: ProjectSubject
  readonly options: ComposeOptions
}

async function composePage(context: PanelContext): Promise<Section[]> {
  const { page, question, selection } = context.subject
  const shown = page.panels.filter(
    ({ needs }) => needs === undefined || selection.params[needs] !== undefined,
  )
  const sections: Section[] = []
  for (const panel of shown) {
    const section = await composePanel(panel, context)
    sections.push(question === undefined ? section : { ...section, title: 'Rows' })
  }
  return sections
}

async function composePanel(
  panel: Panel,
  { report, subject, options }: PanelContext,
): Promise<Section> {
  const { presentation, dashboard } = options
  const question = presentation.questions.get(panel.question)
  if (question === undefined) throw new TypeError(`there is no question ${panel.question}`)
  const title = panel.title ?? question.title
  if (!maySeeOn(question, report.groups)) {
    return { title, lines: [`Only the group ${question.access} may see this.`] }
  }
  const { filters } = subject.selection
  const answer = await presentation.answers.answer(question, filters)
  if (answer.rows.length === 0) {
    return { title, lines: [panel.empty ?? 'Nothing meets these filters.'] }
  }
  const label = labelsOf(dashboard)
  const against = againstOf({ question, selection: subject.selection, dashboard })
  const shown = { labels: label, hasFirstDay: (filters['from'] ?? '') !== '', against }
  const { chart, note } = panel
  if (chart.kind === 'cards') return { title, note, lines: cardLines(chart, answer, shown) }
  if (chart.kind === 'conversion') {
    return { title, note, lines: conversionLines(chart, answer, shown) }
  }
  if (chart.kind === 'dumbbell' && !hasComparison(chart, answer)) {
    return { title, note, lines: [sayIncomparable(chart, answer)] }
  }
  const isWhole = subject.question !== undefined
  if (isWhole) {
    const { columns } = answer
    const table = tableOf(answer, { columns, limit: QUESTION_ROWS, label })
    return { title, note: note ?? unitOf(question), lines: [], table }
  }
  const columns =
    chart.kind === 'table'
      ? chart.columns.map((name) => columnOf(answer.columns, name))
      : answer.columns.filter(({ name }) => dashboard.unlisted?.includes(name) !== true)
  const words = { columns, label, units: dashboard.units }
  const table = isOverTime(chart)
    ? newestOf(answer, { ...words, by: chart.split })
    : tableOf(answer, { ...words, limit: PANEL_ROWS })
  return { title, note, lines: [], table }
}

/** A chart over time with a line or a bar chart for each value of a column. */
function isOverTime(chart: Chart): chart is Chart & { readonly split: string } {
  return chart.kind === 'lines' || (chart.kind === 'diverging' && chart.step !== undefined)
}

/** The unit of a question's figures, as a sentence. */
function unitOf({ unit }: Question): string | undefined {
  return unit === undefined ? undefined : unit.charAt(0).toUpperCase() + unit.slice(1)
}

type Shown = Parameters<typeof cardsOf>[2]

function cardLines(chart: CardsChart, answer: Answer, shown: Shown): string[] {
  return cardsOf(chart, answer, shown).map(({ name, says, value, delta, count, more }) =>
    [
      `${[name, says].filter(Boolean).join(' ')}: ${formatDecimal(value)}`,
      ...(delta === undefined ? [] : [describeDelta(delta)]),
      ...(count === undefined ? [] : [count]),
      ...more,
    ].join(' · '),
  )
}

function conversionLines(chart: ConversionChart, answer: Answer, shown: Shown): string[] {
  const { into, value, delta, more, missing, rates } = conversionOf(chart, answer, shown)
  const compared = delta === undefined ? [] : [describeDelta(delta)]
  const amount = value === '' ? '–' : [formatDecimal(value), ...compared].join(' · ')
  const name = ['All in', into, chart.says].filter(Boolean).join(' ')
  return [
    [`${name}: ${amount}`, ...more].join(' · '),
    ...missing.map((line) => `Left out: ${line}`),
    ...rates.map(({ pair, from }) => `${pair} ${from}`),
  ]
}

function describeDelta({ mark, change, says }: Delta): string {
  return [mark, change, says].filter((part) => part !== '').join(' ')
}

/** How a table of an answer is written. */
interface TableWords {
  readonly columns: readonly ResultColumn[]
  readonly label: (column: string) => string
  /** With them shares are percentages, as on a page. Without them every digit stays, as on Ask. */
  readonly units?: Dashboard['units']
}

function tableOf(
  answer: Pick<Answer, 'columns' | 'rows' | 'isTruncated'>,
  { columns, limit, label, units }: TableWords & { readonly limit: number },
): LetterTable | undefined {
  const { rows, isTruncated } = answer
  if (rows.length === 0) return undefined
  const places = columns.map((column) => answer.columns.indexOf(column))
  const count = `${isTruncated ? 'more than ' : ''}${formatCount(rows.length)}`
  return {
    header: columns.map(({ name }) => writeText(label(name))),
    isNumber: columns.map(({ name, kind }) => isQuantity(name, kind)),
    rows: rows
      .slice(0, limit)
      .map((row) =>
        columns.map((column, at) => writeCell(column, row[places[at] ?? 0] ?? null, units)),
      ),
    more:
      rows.length > limit || isTruncated
        ? `The first ${formatCount(Math.min(limit, rows.length))} of ${count} rows; the page has more.`
        : undefined,
  }
}

/** The newest rows for each value of a column, from an answer in the order of time. */
function newestOf(
  answer: Pick<Answer, 'columns' | 'rows' | 'isTruncated'>,
  { by, ...words }: TableWords & { readonly by: string },
): LetterTable | undefined {
  const groups = splitTable(answerTable(answer), by)
  const rows = groups.flatMap(({ table }) => table.rows.slice(-NEWEST_ROWS))
  const table = tableOf({ ...answer, rows }, { ...words, limit: rows.length })
  if (table === undefined) return undefined
  const isWhole = rows.length === answer.rows.length
  const more = `The newest ${NEWEST_ROWS} rows of each ${words.label(by).toLowerCase()}; the page has more.`
  return { ...table, more: isWhole ? undefined : more }
}

function writeCell(column: ResultColumn, cell: string | null, units: Dashboard['units']): string {
  const isShare = cell !== null && units?.[column.name] === '%'
  return isShare ? formatShare(cell) : writeText(formatCell(column, cell))
}

function writeText(text: string): string {
  return shorten(inOneLine(text), CELL_CHARS)
}

/** A text without characters that would move a terminal's cursor. */
function inOneLine(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ')
}
