import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../../platform/config.ts'
import { codeOf, ConfigError } from '../../platform/errors.ts'
import type { ObjectStore } from '../../platform/lake/store/object-store.ts'
import { createAnswers } from '../../platform/presentation/answer.ts'
import { readFreshness } from '../../platform/presentation/freshness.ts'
import type { Reader } from '../../platform/presentation/reader.ts'
import type { SavedQuestions } from '../../platform/presentation/saved-questions.ts'
import type { Deps } from '../../platform/deps.ts'
import { openStore } from '../environment.ts'
import { groupsOf } from '../server/groups.ts'
import { DEFAULT_PORT, NOTHING_TO_SHOW, questionsOf } from '../server/open-server.ts'
import type { ComposeOptions } from './compose.ts'
import { type Declarations, parseDeclarations } from './declaration.ts'

/** What reports are made from, to send them or only to show them. */
export interface ReportSources extends ComposeOptions {
  /** Reads the file again each time, so that a change needs no restart. Throws `ConfigError`. */
  readDeclarations(): Promise<Declarations>
}

/** Everything that reports need from a warehouse, its project and the settings. */
export function reportSources({
  config,
  deps,
  reader,
  saved,
  now,
  url,
}: {
  readonly config: Config
  readonly deps: Pick<Deps, 'project'>
  readonly reader: Reader
  /** Undefined: nothing can be saved. */
  readonly saved: SavedQuestions | undefined
  readonly now: () => Date
  /** Where this process serves the pages. */
  readonly url?: string | undefined
}): ReportSources {
  const { project } = deps
  const { presentation: dashboard = NOTHING_TO_SHOW } = project
  const groups = groupsOf(project)
  const promiseMs = config.TIDEMARK_PROMISE_MINUTES * 60_000
  const here = url ?? `http://127.0.0.1:${config.TIDEMARK_PORT ?? DEFAULT_PORT}`
  return {
    dashboard,
    presentation: {
      project,
      reader,
      questions: questionsOf(dashboard),
      answers: createAnswers(reader, { now }),
      saved,
      promiseMs,
      now,
      freshness: () => readFreshness(reader, { promiseMs, now: now() }),
    },
    pagesUrl: (config.TIDEMARK_PAGES_URL ?? here).replace(/\/+$/, ''),
    async readDeclarations() {
      const location = reportsFile(config)
      return parseDeclarations(await readText(location, config), { location, groups })
    },
  }
}

/** The file that declares the reports. Throws `ConfigError` (`REPORTS_OFF`) if none is set. */
export function reportsFile({ TIDEMARK_REPORTS_FILE: file }: Config): string {
  if (file !== undefined) return file
  throw new ConfigError('No reports are declared: TIDEMARK_REPORTS_FILE is not set', {
    code: 'REPORTS_OFF',
    hint: 'set it to a file that declares them; docs/reports.md says how',
  })
}

async function readText(location: string, config: Config): Promise<string> {
  const refuse = (why: string, cause?: unknown) =>
    new ConfigError(`The reports file ${location} ${why}`, {
      code: 'REPORTS_FILE',
      hint: 'check TIDEMARK_REPORTS_FILE, and that this user may read the file',
      cause,
    })
  const [, folder, key] = /^(s3:\/\/.+)\/([^/]+)$/.exec(location) ?? []
  if (folder === undefined || key === undefined) {
    return await readFile(location, 'utf8').catch((error: unknown) => {
      throw refuse(`cannot be read [${codeOf(error)}]`, error)
    })
  }
  const store = await openStore(folder, config)
  try {
    const body = await store.get(key)
    if (body === undefined) throw refuse('does not exist')
    return body.toString('utf8')
  } finally {
    await store[Symbol.asyncDispose]?.()
  }
}

/** Opens the place where Tidemark records what it sent. */
export async function openReportState(
  config: Config,
): Promise<ObjectStore & Partial<AsyncDisposable>> {
  return await openStore(
    config.TIDEMARK_REPORTS_STATE ?? join(config.TIDEMARK_HOME, 'reports'),
    config,
  )
}
