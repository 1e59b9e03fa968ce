import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Model } from './model.ts'
import type { Project } from './project.ts'

/** Raised when the platform itself makes something else of the same models. */
const PLATFORM_GENERATION = 4

/**
 * The name of the processed zone that one state of the models makes: a hash of the source's contract
 * and of the models' SQL and declarations, their checks included. Another one makes another
 * generation, built anew from the ingestion zone (I8). Data tests change nothing of what is made.
 */
export function generationOf(project: Project): string {
  const models = project.models.map((model) => ({
    ...model,
    sql: readModel(model),
    // Only how a fact is shown and found; and a path of this machine.
    headline: undefined,
    sought: undefined,
  }))
  const text = JSON.stringify([PLATFORM_GENERATION, project.source, models])
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}

/**
 * A file's SQL as it can stand inside another statement: without a final semicolon, and with a
 * final newline, lest a comment at its end swallow what follows.
 */
export function readSql(file: URL): string {
  return `${readFileSync(file, 'utf8').trim().replace(/;$/, '')}\n`
}

/** The model's SQL, as `readSql` gives it. */
export function readModel(model: Model): string {
  return readSql(model.sql)
}
