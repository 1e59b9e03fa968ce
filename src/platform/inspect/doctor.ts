import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isTaken } from '../collect/file/format.ts'
import { checkEnds, checkWarehouse, readHeads } from '../continuity.ts'
import { type Deps, hasWarehouse } from '../deps.ts'
import { ConfigError, ContractError } from '../errors.ts'
import type { ObjectStore } from '../lake/store/object-store.ts'
import { checkContinued } from '../load/load.ts'
import { checkProject } from '../project/check-project.ts'
import type { Project } from '../project/project.ts'
import type { Drop } from '../source/drop.ts'
import type { FeedServer } from '../source/feed-sources.ts'
import { fetchAnswer, checkAnswer, addressWithoutQuery } from '../source/http.ts'
import { findLedgerHead } from '../warehouse/ledger.ts'
import { openWarehouse, type Warehouse } from '../warehouse/warehouse.ts'
import { examineSaved } from './examine-saved.ts'
import { examineSource } from './examine-source.ts'
import { examineReader, examineWarehouse } from './examine-warehouse.ts'
import { check, type Finding, type Found } from './finding.ts'
import { tryModels } from './plan.ts'

/** Additional checks of the doctor. */
export interface ExamineOptions {
  /** The warehouse with the reader's rights, as the dashboard reads it. Omitted: not checked. */
  readonly reader?: Warehouse
  /** The connection string of the role that keeps saved questions, if there is one. Omitted: no check. */
  readonly saver?: { readonly url: string | undefined }
}

/**
 * Checks everything that a run needs, one thing after another, and continues after a failure. It
 * does what a run does, through the same code: it reads the source with a run's settings, rehearses
 * a load in a transaction that is rolled back, and lets two writers race for an object. It leaves
 * two small objects below `doctor/` in each zone, which `lake sweep --delete` removes after a day.
 * May be repeated. Never throws for a failed check: that is a finding.
 */
export async function examine(
  deps: Deps,
  { reader, saver }: ExamineOptions = {},
): Promise<Finding[]> {
  const findings = [
    ...(await examineSource(deps)),
    ...(deps.project.mirror === undefined
      ? [
          await check('the project is consistent', () => examineProject(deps.project), {
            next: 'correct the project',
          }),
        ]
      : []),
    ...(hasWarehouse(deps) ? await examineWarehouse(deps) : []),
    ...(reader === undefined || !hasWarehouse(deps) ? [] : [await examineReader(deps, reader)]),
    ...(saver === undefined || !hasWarehouse(deps) ? [] : [await examineSaved(deps, saver.url)]),
    await check('the ingestion zone can be written', () => examineZone(deps, deps.ingestion), {
      next: lookAtPlace('TIDEMARK_INGESTION'),
    }),
    await check('the processed zone can be written', () => examineZone(deps, deps.processed), {
      next: lookAtPlace('TIDEMARK_PROCESSED'),
    }),
    await check(belonging(deps), () => examineContinuity(deps), {
      next: 'let zones and warehouse answer first (see above)',
    }),
    ...(await examineFeeds(deps)),
  ]
  // The models need a source that answers and a lake that is whole.
  if (deps.project.mirror !== undefined || !findings.every(({ ok }) => ok)) return findings
  const models = await check('its models fit the source', () => examineModels(deps), {
    next: 'tidemark plan',
  })
  return [...findings, models]
}

function belonging(deps: Deps): string {
  return hasWarehouse(deps) ? 'lake and warehouse belong together' : 'both zones belong together'
}

/** Checks the project, as every run does before it captures. */
async function examineProject(project: Project): Promise<string> {
  checkProject(project)
  return `${project.source.tables.length} source tables, ${project.models.length} star tables`
}

/** Runs the models over empty tables. Their rows may still break a rule. */
async function examineModels(deps: Deps): Promise<string> {
  const unknown = await tryModels(deps)
  const count = `${deps.project.models.length - unknown.length} models`
  return unknown.length === 0 ? count : `${count}; not known yet: ${unknown.join(', ')}`
}

/** What to check if a zone or the drop, a folder or a bucket, cannot be used. */
function lookAtPlace(variable: string): string {
  return `check ${variable}, its folder, or the network to its bucket (TIDEMARK_S3_ENDPOINT)`
}

/** Checks the newest links of the chain, as a run does. */
async function examineContinuity(deps: Deps): Promise<string> {
  const heads = await readHeads(deps)
  await checkEnds(deps, heads)
  if (!hasWarehouse(deps)) {
    const { captured, transformed } = heads
    return `batch ${captured?.batch ?? 0} captured, ${transformed?.batch ?? 0} transformed; there is no warehouse`
  }
  await using warehouse = await openWarehouse({ ...deps.warehouse, attempts: 1 })
  const { captured, transformed } = heads
  await checkWarehouse(deps, captured)
  const head = await findLedgerHead(warehouse)
  await checkContinued(deps, warehouse)
  return `batch ${captured?.batch ?? 0} captured, ${transformed?.batch ?? 0} transformed, ${head?.batch ?? 0} loaded`
}

/** Checks the drop and each server of feeds, if there are any. */
async function examineFeeds({ project, feeds }: Deps): Promise<Finding[]> {
  const { drop, servers = [] } = feeds ?? {}
  const findings: Finding[] = []
  if (drop !== undefined) {
    const next = lookAtPlace('TIDEMARK_DROP')
    findings.push(
      await check('the dropped files can be read', () => examineDrop(drop, project), { next }),
    )
  }
  for (const server of servers) {
    const what = `${addressWithoutQuery(server.url)} answers`
    const next =
      'check TIDEMARK_RATES_URL and the network to it (until then, runs use the last known rates)'
    findings.push(await check(what, () => examineServer(server), { next }))
  }
  return findings
}

async function examineDrop(drop: Drop, { source }: Project): Promise<Found> {
  if ((await drop.exists?.()) === false) {
    const path = `'${drop.location.replaceAll("'", String.raw`'\''`)}'`
    const detail = `${drop.location} does not exist yet`
    return { unchecked: true, detail, hint: `mkdir -p ${path}` }
  }
  let files = 0
  let ignored = 0
  for (const { name } of source.feeds ?? []) {
    for await (const file of drop.list(name, () => void (ignored += 1))) {
      if (isTaken(file.name)) files += 1
      else ignored += 1
    }
  }
  const others = ignored > 0 ? `, ${ignored} ignored` : ''
  return `${drop.location}, ${files} ${files === 1 ? 'file' : 'files'}${others}`
}

async function examineServer({ url, format }: FeedServer): Promise<string> {
  const answer = await fetchAnswer(url, { attempts: 1 })
  const text = answer?.body.toString('utf8') ?? ''
  const parsed = format.parse.safeParse({ text, fetchedAt: new Date().toISOString() })
  const rows = parsed.success ? parsed.data : undefined
  if (answer !== undefined) checkAnswer(answer.body, { rows, url })
  if (parsed.success) return `${parsed.data.length} rows of ${format.feed}`
  throw new ContractError(`The server does not answer with rows of ${format.feed}`, {
    code: 'FEED_FORMAT',
    hint: 'check TIDEMARK_RATES_URL and TIDEMARK_RATES_FORMAT',
  })
}

/** Lets two writers store an object at once, checks that only one creates it, and reads it back. */
async function examineZone({ scratchDir }: Deps, store: ObjectStore): Promise<string> {
  const key = `doctor/${new Date().toISOString().slice(0, 10)}-${randomBytes(4).toString('hex')}`
  const bodies = ['one', 'other'].map((writer) => Buffer.from(`tidemark doctor, ${writer}\n`))
  const outcomes = await Promise.all(bodies.map((body) => store.putIfAbsent(`${key}.txt`, body)))
  const stored = await store.get(`${key}.txt`)
  const winner = bodies[outcomes.indexOf('created')]
  const created = outcomes.filter((outcome) => outcome === 'created').length
  if (created !== 1 || winner?.equals(stored ?? Buffer.alloc(0)) !== true) {
    throw new ConfigError(`${store.location} lets two writers create the same object`, {
      code: 'LAKE_NOT_EXCLUSIVE',
      hint: 'use a file system with hard links, or an S3 server that honours If-None-Match',
    })
  }
  await mkdir(scratchDir, { recursive: true })
  // A file of its own, because a disk store keeps the file itself under a second name.
  const path = join(scratchDir, `${randomBytes(4).toString('hex')}-doctor.txt`)
  await writeFile(path, winner)
  try {
    await store.uploadIfAbsent(`${key}-file.txt`, path)
  } finally {
    await rm(path)
  }
  const copy = await store.download(`${key}-file.txt`, join(scratchDir, 'cache'))
  if (!winner.equals(await readFile(copy))) {
    throw new ContractError(`${store.location} does not return the bytes that were stored`, {
      code: 'LAKE_DAMAGED',
      hint: 'check the disk, or the S3 server',
    })
  }
  return store.location
}
