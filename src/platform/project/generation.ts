import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Model } from './model.ts'
import type { Project } from './project.ts'
import { contractText } from './source-contract.ts'

/** Increase this when the platform makes other rows from the same models. */
const PLATFORM_GENERATION = 4

/**
 * The name of the processed zone that one state of the models makes: a hash of the source's
 * contract and of the models' SQL and declarations, checks included. A change to any of these makes
 * a new generation, which is built again from the ingestion zone (I8). Data tests do not count,
 * because they change no row. A later edition of a generation has its number behind the hash.
 */
export function generationOf(project: Project): string {
  const known = generations.get(project) ?? nameOf(hashModels(project), project.edition)
  generations.set(project, known)
  return known
}

function nameOf(models: string, edition = 1): string {
  return edition === 1 ? models : `${models}.${edition}`
}

/** A generation's name in its parts. */
export interface ParsedGeneration {
  /** What the models and the contract make of it. */
  readonly models: string
  /** 1 for the first one, whose name has no number. */
  readonly edition: number
}

/** Takes a generation's name apart. */
export function parseGeneration(name: string): ParsedGeneration {
  const [models = '', edition = '1'] = name.split('.')
  return { models, edition: Number(edition) }
}

/** Whether both names are of one generation, and the first is of the newer edition. */
export function isNewerEdition(name: string, than: string): boolean {
  const [one, other] = [parseGeneration(name), parseGeneration(than)]
  return one.models === other.models && one.edition > other.edition
}

/** Whether other models than the project's made a generation, so that it has other rows. */
export function isOtherModels(name: string, project: Project): boolean {
  return parseGeneration(name).models !== parseGeneration(generationOf(project)).models
}

/** The same project with an edition. The same arguments give the same object. */
export function withEdition(project: Project, edition: number): Project {
  const known = editions.get(project) ?? new Map<number, Project>()
  const found = known.get(edition) ?? { ...project, edition }
  known.set(edition, found)
  editions.set(project, known)
  return found
}

const editions = new WeakMap<Project, Map<number, Project>>()

/** A run asks a dozen times, and a project never changes. */
const generations = new WeakMap<Project, string>()

function hashModels(project: Project): string {
  // A mirror's tables come and go within one generation: each batch says which there are.
  if (project.mirror !== undefined) return shortHash(`[${PLATFORM_GENERATION},"mirror"]`)
  const models = project.models.map(hashedPart)
  const text = `[${PLATFORM_GENERATION},${contractText(project.source)},${JSON.stringify(models)}]`
  return shortHash(text)
}

/** The part of a model on which its rows depend. */
function hashedPart(model: Model): object {
  return {
    ...model,
    sql: readModel(model),
    // These only say how a fact is shown, found and summed, and `headline` is a path on this machine.
    description: undefined,
    descriptions: undefined,
    headline: undefined,
    sought: undefined,
    sums: undefined,
    telling: undefined,
  }
}

/** What makes a generation, each part by its hash. Two generations differ in one of them at least. */
export interface GenerationParts {
  /** The platform's own part. */
  readonly platform: number
  readonly contract: string
  /** By the name of its table, each model. */
  readonly models: Readonly<Record<string, string>>
}

/** The parts of a project's generation, by which people learn why it is a new one. */
export function partsOf({ source, models }: Project): GenerationParts {
  return {
    platform: PLATFORM_GENERATION,
    contract: shortHash(contractText(source)),
    models: Object.fromEntries(
      models.map((model) => [model.table, shortHash(JSON.stringify(hashedPart(model)))]),
    ),
  }
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}

/**
 * Reads a file's SQL, or takes the text itself, so that it can stand inside another statement:
 * without a final semicolon, and with a final newline, so that a comment at its end does not hide
 * what follows. A process reads each declared file once.
 */
export function readSql(sql: URL | string): string {
  if (typeof sql === 'string') return asPart(sql)
  const known = texts.get(sql) ?? asPart(readFileSync(sql, 'utf8'))
  texts.set(sql, known)
  return known
}

function asPart(sql: string): string {
  // After the semicolon there may be comments, which stay in the file.
  return `${sql.trim().replace(/;(?:\s|--[^\n]*|\/\*[\s\S]*?\*\/)*$/, '')}\n`
}

const texts = new WeakMap<URL, string>()

/** The SQL of a model, as `readSql` returns it. */
export function readModel(model: Model): string {
  return readSql(model.sql)
}
