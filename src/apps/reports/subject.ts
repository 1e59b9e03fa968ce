import type { ConfigError } from '../../platform/errors.ts'
import type { Question } from '../../platform/presentation/question.ts'
import type { Dashboard, Filter, Page } from '../../platform/project/dashboard.ts'
import { groupsFor, mayRead } from '../server/groups.ts'
import { labelOf } from '../server/pages/answer-rows.ts'
import { readChoices } from '../server/pages/business.ts'
import { paramsFor } from '../server/pages/panel.ts'
import { maySee } from '../server/pages/question.ts'
import { linkTo, readSelection, type Selection } from '../server/pages/selection.ts'
import type { Presentation } from '../server/presentation.ts'
import { type Declaration, invalid } from './declaration.ts'
import { findSaved, type SavedSubject } from './saved-subject.ts'

/** What a declaration is about, found and checked. */
export type Subject = ProjectSubject | SavedSubject

/** A page or a question of the project. */
export interface ProjectSubject {
  readonly saved: undefined
  readonly title: string
  /** The page. For a question: a page that holds nothing else. */
  readonly page: Page
  /** The question, if the declaration names one. */
  readonly question: Question | undefined
  readonly selection: Selection
  /** The path where the recipients see the same figures. Undefined if they may see none. */
  readonly path: string | undefined
}

/** The project's pages and questions, with their answers. */
export interface SubjectOptions {
  readonly presentation: Presentation
  readonly dashboard: Dashboard
}

/**
 * Finds what a declaration is about. Throws `ConfigError` (`REPORT_INVALID`) with all its faults: an
 * unknown page, question or filter, a value that a filter cannot have, or figures that the declared
 * groups may not see. Compares the values of the dashboard's filters with the warehouse. Throws what
 * `SavedQuestions.find` throws.
 */
export async function findSubject(
  declaration: Declaration,
  options: SubjectOptions,
): Promise<Subject> {
  return declaration.saved === undefined
    ? await findInProject(declaration, options)
    : await findSaved(declaration, { ...options.presentation, name: declaration.saved })
}

async function findInProject(
  declaration: Declaration,
  options: SubjectOptions,
): Promise<ProjectSubject> {
  const { presentation, dashboard } = options
  const { page, question } = findPage(declaration, options)
  const choices = await readChoices(page, { presentation, dashboard })
  const offered = dashboard.filters.filter(({ name }) => page.filters.includes(name))
  const selection = readSelection(withWholePeriod(declaration, question), {
    page,
    dashboard,
    choices,
    now: presentation.now(),
  })
  const faults = [
    ...unknownFilters(declaration, offered),
    ...Object.entries(selection.faults).map(
      ([name, { given, why }]) => `filters.${name}: cannot be “${given.slice(0, 60)}”. ${why}`,
    ),
  ]
  if (page.needs !== undefined && selection.params[page.needs] === undefined) {
    faults.push(`filters: the page ${page.path} needs a ${page.needs}`)
  }
  if (faults.length > 0) throw invalid(declaration, faults)
  const path = pathFor(declaration, { page, question, selection, options })
  return { saved: undefined, title: page.title, page, question, selection, path }
}

function findPage(
  declaration: Declaration,
  { presentation: { project, questions }, dashboard }: SubjectOptions,
): Pick<ProjectSubject, 'page' | 'question'> {
  const { groups, question: asked } = declaration
  if (asked !== undefined) {
    const question = questions.get(asked)
    if (question === undefined) throw unknown(declaration, { kind: 'question', asked, questions })
    const needed = question.access ?? 'analyst'
    if (!groups.has(needed)) {
      throw invalid(declaration, [`access: the question ${asked} is for the group ${needed}`])
    }
    return { page: pageOf(question, dashboard), question }
  }
  const path = declaration.kind === 'report' ? declaration.page : undefined
  const page = dashboard.pages.find((each) => each.path === path)
  if (page === undefined) {
    const pages = new Map(dashboard.pages.map((each) => [each.path, each]))
    throw unknown(declaration, { kind: 'page', asked: path ?? '', questions: pages })
  }
  if (!mayRead(page.path, groups, project)) {
    const list = groupsFor(page.path, project).join(' or ')
    throw invalid(declaration, [`access: the page ${page.path} is for the group ${list}`])
  }
  return { page, question: undefined }
}

function unknown(
  declaration: Declaration,
  {
    kind,
    asked,
    questions,
  }: { kind: 'page' | 'question'; asked: string; questions: ReadonlyMap<string, unknown> },
): ConfigError {
  const known = [...questions.keys()].filter((name) => !name.startsWith('options_')).join(', ')
  return invalid(declaration, [`${kind}: there is no ${kind} “${asked}”; there are ${known}`])
}

/** A page with one question, and those filters of the dashboard that the question knows. */
function pageOf(question: Question, { filters }: Dashboard): Page {
  const knows = ({ kind, name }: Filter): boolean =>
    question.filters.includes(kind === 'period' ? 'from' : name)
  const path = `/questions/${question.name}`
  return {
    path,
    title: question.title,
    summary: question.grain,
    filters: filters.filter(knows).map(({ name }) => name),
    panels: [
      { question: question.name, chart: { kind: 'table', columns: [] }, leads: { to: path } },
    ],
  }
}

/** A single question has no standard period, as at its own address. */
function withWholePeriod(
  { filters }: Declaration,
  question: Question | undefined,
): Readonly<Record<string, string>> {
  return question === undefined ? filters : { period: 'all', ...filters }
}

function unknownFilters({ filters }: Declaration, offered: readonly Filter[]): string[] {
  const known = offered.flatMap(({ kind, name }) =>
    kind === 'period' ? ['period', 'from', 'to'] : [name],
  )
  const list = known.length === 0 ? 'it has none' : `it has ${known.join(', ')}`
  return Object.keys(filters)
    .filter((name) => !known.includes(name))
    .map((name) => `filters: there is no filter “${name}”; ${list}`)
}

/**
 * The path where the recipients see the figures: the page, the question's own page, or else a page
 * that shows the question and that they may open.
 */
function pathFor(
  { groups }: Declaration,
  {
    page,
    question,
    selection,
    options: { presentation, dashboard },
  }: Pick<ProjectSubject, 'page' | 'question' | 'selection'> & { options: SubjectOptions },
): string | undefined {
  const mayOpen = (path: string): boolean => mayRead(path, groups, presentation.project)
  if (question === undefined) return linkTo(page.path, selection.params)
  if (mayOpen(page.path)) return linkTo(page.path, paramsFor(question, selection))
  const other = dashboard.pages.find(
    ({ path, panels }) => mayOpen(path) && panels.some((panel) => panel.question === question.name),
  )
  return other === undefined ? undefined : linkTo(other.path, selection.params)
}

/** Whether recipients in these groups may see the answer to a question on a page. */
export function maySeeOn(question: Question, groups: ReadonlySet<string>): boolean {
  return maySee(question, { subject: 'report', groups, expiresAt: undefined })
}

/** The filters that are set, in words, and the period. */
export function describeSelection(
  { page, question, selection }: ProjectSubject,
  dashboard: Dashboard,
): { period: string | undefined; others: string[] } {
  const { filters, params } = selection
  const hasPeriod = page.filters.includes('period')
  const by = page.periodOf === undefined ? '' : `, by ${page.periodOf}`
  const range = `${filters['from'] ?? 'the first day'} to ${filters['to'] ?? 'the newest'}${by}`
  const others = dashboard.filters.flatMap(({ kind, name, label }) =>
    kind === 'period' || params[name] === undefined ? [] : [`${label}: ${params[name]}`],
  )
  const isDated = hasPeriod && (question === undefined || filters['from'] !== undefined)
  return { period: isDated ? range : undefined, others }
}

/** What people call a column, on every page. */
export function labelsOf(dashboard: Dashboard): (column: string) => string {
  return (column) => labelOf(dashboard, column)
}
