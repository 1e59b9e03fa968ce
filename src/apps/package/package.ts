// What `import … from 'tidemark'` gives: small, because a config file imports it too.
import type { OpenOptions, Tidemark } from './tidemark.ts'

export { defineProject } from '../../platform/project/project-config.ts'
export type {
  DashboardConfig,
  FeedConfig,
  ModelConfig,
  ProjectConfig,
  SourceConfig,
  TableConfig,
} from '../../platform/project/project-config.ts'
// What the parts of a project are, for those that are written in files of their own.
export { TIME_STEPS } from '../../platform/project/chart.ts'
export type * from '../../platform/project/chart.ts'
export type * from '../../platform/project/dashboard.ts'
export type { Check, Reference, Sums, Telling, Worth } from '../../platform/project/model.ts'
export type { MirrorSettings } from '../../platform/project/mirror-settings.ts'
export type {
  LogEvent,
  OpenOptions,
  RowHistory,
  RowVersion,
  RunOptions,
  RunOutcome,
  StatusOutcome,
  Tidemark,
  VerifiedRows,
  VerifyOutcome,
} from './tidemark.ts'

/**
 * Opens a project as the command line does: its settings, its source, its lake and its warehouse.
 * Connects to the databases when they are first needed. Throws an error with a `code` and a `hint`
 * if somebody must edit something: the project, a setting or a file.
 */
export async function open(options: OpenOptions = {}): Promise<Tidemark> {
  const [{ openTidemark }, { standardProject }] = await Promise.all([
    import('./open-tidemark.ts'),
    import('../../standard-project.ts'),
  ])
  return await openTidemark(options, standardProject)
}
