import { html } from 'hono/html'
import { TidemarkError } from '../../../../platform/errors.ts'
import type { FactVersion } from '../../../../platform/presentation/history.ts'
import {
  type Names,
  namedThings,
  namesByColumn,
  NAMES_QUESTION,
} from '../../../../platform/presentation/names.ts'
import type { Fact } from '../../../../platform/project/model.ts'
import type { Project } from '../../../../platform/project/project.ts'
import { shorten } from '../../../format.ts'
import type { Markup } from '../../markup.ts'
import type { Presentation } from '../../presentation.ts'
import { labelOf } from '../answer-rows.ts'
import { type AmountContext, sayNumber } from './amounts.ts'

/** Everything that is needed to show the values of a version. */
export interface VersionContext extends AmountContext {
  /** What people call a column. */
  readonly labels: Readonly<Record<string, string>>
  /** Whether columns go by their own names, and long values are cut. */
  readonly isBare?: boolean
  /** What the address of the page begins with, up to its next parameter. Default: `?`. */
  readonly address?: string
}

/** The most characters of a value of which nobody knows what it is. */
const MAX_CHARS = 400

/**
 * Reads the names of the things that the versions refer to by number, in dimensions with one key
 * column. Returns none if the project has no question `order_names` or if it fails: the page then
 * shows the numbers alone.
 */
export async function readNames(
  { questions, answers }: Presentation,
  { project, fact, versions }: { project: Project; fact: Fact; versions: readonly FactVersion[] },
): Promise<Names> {
  const question = questions.get(NAMES_QUESTION)
  const things = namedThings(project, { fact, versions })
  if (question === undefined || things === undefined) return new Map()
  try {
    const { rows } = await answers.answer(question, { ids: things.ids })
    return namesByColumn(things, rows)
  } catch (error) {
    if (error instanceof TidemarkError) return new Map()
    throw error
  }
}

/** What people call a column. If it is shown by name, the label does not say `id`. */
export function nameOf({ labels, names, isBare = false }: VersionContext, column: string): string {
  if (isBare) return column
  const label = labelOf({ labels }, column)
  return names.has(column) ? label.replace(/ id$/, '') : label
}

/** A value, with its name in front if it has one. The name leads to the page of its thing. */
export function renderValue(
  version: FactVersion | undefined,
  column: string,
  context: VersionContext,
): Markup {
  const { names, isBare = false } = context
  const value = version?.values[column]
  if (value === undefined) return html`<span class="muted" title="null">∅</span>`
  const thing = names.get(column)?.get(value)
  if (thing === undefined)
    return html`${sayNumber(version, column, context) ?? (isBare ? shorten(value, MAX_CHARS) : value)}`
  const { name, href } = thing
  return html`${href === undefined ? name : html`<a href="${href}">${name}</a>`}
    <span class="muted">${value}</span>`
}
