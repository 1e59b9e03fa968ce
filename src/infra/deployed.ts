import type { Analyses } from '../apps/project-extension.ts'
import type { Project } from '../platform/project/project.ts'
import { standardProject } from '../standard-project.ts'

/** What is deployed: a project, and what QuickSight shows of it. */
export interface Deployed {
  readonly project: Pick<Project, 'presentation'>
  readonly analyses: Analyses
}

/** Loads the project that the functions in the package carry. */
export async function readDeployed(): Promise<Deployed> {
  const { project, extension } = await standardProject.load()
  const analyses = (await extension.analyses?.()) ?? { questions: [], needed: [], dashboards: [] }
  return { project, analyses }
}
