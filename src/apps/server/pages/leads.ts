import type { Dashboard, List } from '../../../platform/project/dashboard.ts'
import { parameterNamesOf } from './filters.ts'
import { type AnyFilter, linkTo } from './selection.ts'

/** The address of a list. */
export function listPath({ name }: Pick<List, 'name'>): string {
  return `/list/${name}`
}

/** The parameters that a page or a list of the dashboard takes. Undefined for any other address. */
export function parametersOf(path: string, dashboard: Dashboard): readonly string[] | undefined {
  const list = dashboard.lists?.find((each) => listPath(each) === path)
  const filters = list?.filters ?? dashboard.pages.find((page) => page.path === path)?.filters
  if (filters === undefined) return undefined
  const shared = dashboard.filters.filter(({ name }) => filters.includes(name))
  const all: readonly AnyFilter[] = [...shared, ...(list?.own ?? [])]
  return all.flatMap((filter) => parameterNamesOf(filter))
}

/**
 * The address of a page or a list, with the filters that it knows. What the address itself names
 * stays as it is.
 */
export function leadTo(
  to: string,
  params: Readonly<Record<string, string>>,
  dashboard: Dashboard,
): string {
  const [path = '', query = ''] = to.split('?')
  const own = Object.fromEntries(new URLSearchParams(query))
  const known = parametersOf(path, dashboard) ?? []
  const kept = Object.entries(params).filter(([name]) => known.includes(name))
  return linkTo(path, { ...Object.fromEntries(kept), ...own })
}
