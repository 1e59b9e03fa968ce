import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Model, Project } from '../project.ts'

/** Raised when the platform itself makes something else of the same models. */
const PLATFORM_GENERATION = 1

/**
 * The name of the processed zone that one state of the models makes: a hash of the models' SQL and
 * declarations. Another model makes another generation, built anew from the ingestion zone (I8).
 */
export function generationOf(project: Project): string {
  const models = project.models.map((model) => ({
    ...model,
    sql: readModel(model),
    // Only how a fact is shown; and a path of this machine.
    headline: undefined,
  }))
  const text = JSON.stringify([PLATFORM_GENERATION, project.source, models])
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}

/**
 * The model's SQL as it can stand inside another statement: without a final semicolon, and with a
 * final newline, lest a comment at its end swallow what follows.
 */
export function readModel(model: Model): string {
  return `${readFileSync(model.sql, 'utf8').trim().replace(/;$/, '')}\n`
}
