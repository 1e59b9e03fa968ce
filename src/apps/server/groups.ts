import type { Project } from '../../platform/project/project.ts'
import type { AppLog, AppLogEntry } from '../log.ts'

/** The part of a project that says who may read what. */
export type Guarded = Pick<Project, 'presentation'>

/** The group that may read everything that is not reserved for another one. */
const ANALYST = 'analyst'

/** The groups of a project's users: `analyst`, and the one that something is reserved for, if any. */
export function groupsOf({ presentation }: Guarded): readonly string[] {
  const reserved = presentation?.reserved
  return reserved === undefined ? [ANALYST] : [reserved.group, ANALYST]
}

/**
 * The groups that may read a path; one of them is enough. Every group may read the API's description
 * and other addresses that hold no rows.
 */
export function groupsFor(path: string, project: Guarded): readonly string[] {
  const { group = ANALYST } = project.presentation?.reserved ?? {}
  if (isReserved(path, project)) return [group]
  const isOpen = /^\/(docs|openapi\.json|health|events|assets\/[^/]+)$/.test(path)
  if (isOpen || path === project.presentation?.facts?.path) return groupsOf(project)
  return [ANALYST]
}

/** Whether only the group that the project names may read a path. */
export function isReserved(path: string, { presentation }: Guarded): boolean {
  return (presentation?.reserved?.paths ?? []).some(
    (each) => path.startsWith(each) && /^(\.(csv|xlsx))?(\/|$)/.test(path.slice(each.length)),
  )
}

/** Whether somebody in these groups may read a path. */
export function mayRead(path: string, groups: ReadonlySet<string>, project: Guarded): boolean {
  return groupsFor(path, project).some((group) => groups.has(group))
}

/**
 * Whether groups may run SQL of their own, and saved questions, which are SQL. SQL can read what is
 * reserved and everything else.
 */
export function mayAsk(groups: ReadonlySet<string>, project: Guarded): boolean {
  return groupsOf(project).every((group) => groups.has(group))
}

/** Logs that somebody read what is reserved for one group, as the event that the project names. */
export function logReserved(
  log: AppLog,
  { presentation }: Guarded,
  read: { readonly path: string; readonly status: number; readonly subject: string },
): void {
  const { event = 'reserved_read' } = presentation?.reserved ?? {}
  // The project describes its own event, so the compiler knows only the standard one.
  log({ ...read, event } as AppLogEntry)
}
