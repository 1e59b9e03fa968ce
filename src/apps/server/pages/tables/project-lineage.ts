import { readFileSync } from 'node:fs'
import type { Catalog } from '../../../../platform/inspect/catalog.ts'
import type { Question } from '../../../../platform/presentation/question.ts'
import type { Dashboard } from '../../../../platform/project/dashboard.ts'
import { readModel } from '../../../../platform/project/generation.ts'
import type { Model } from '../../../../platform/project/model.ts'
import type { Project } from '../../../../platform/project/project.ts'
import { capturedTables } from '../../../../platform/project/source-contract.ts'
import { tablePath } from './address.ts'
import { type LineageGraph, lineageGraph } from './lineage-graph.ts'

/**
 * The graph of a project: its source tables, its tables and the pages that read them. A table reads the
 * source tables that its lineage names, and the dimensions that its SQL names.
 */
export function projectLineage(
  { models }: Pick<Catalog, 'models'>,
  project: Project,
  {
    questions,
    dashboard,
  }: {
    questions: ReadonlyMap<string, Pick<Question, 'sql'>>
    dashboard: Pick<Dashboard, 'pages' | 'lists'>
  },
): LineageGraph {
  const byName = new Map(project.models.map((model) => [model.table, model]))
  const dimensionsIn = (model: Model | undefined): string[] =>
    project.models
      .filter(({ kind, table }) => kind !== 'fact' && table !== model?.table)
      .map(({ table }) => table)
      .filter((table) => model !== undefined && namesTable(readModel(model), table))
  const readBy = (sql: string): string[] =>
    project.models.map((model) => model.table).filter((name) => namesTable(sql, name))
  return lineageGraph({
    sources: capturedTables(project.source).map(({ name, ...rest }) => ({
      name,
      href: `/catalogue/${encodeURIComponent(name)}`,
      description: 'description' in rest ? rest.description : undefined,
    })),
    tables: models.map(({ table, reads }) => ({
      name: table,
      href: tablePath(table),
      description: byName.get(table)?.description,
      reads: [...new Set([...reads, ...dimensionsIn(byName.get(table))])],
    })),
    pages: dashboard.pages.map(({ path, title, summary, panels }) => {
      const lists = (dashboard.lists ?? []).filter(({ page }) => page === path)
      const texts = [
        ...panels.map(({ question }) => questions.get(question)?.sql ?? ''),
        ...lists.map(({ sql }) => readFileSync(sql, 'utf8')),
      ]
      const reads = [...new Set(texts.flatMap(readBy))]
      return { name: title, href: path, description: summary, reads }
    }),
  })
}

/** Whether SQL names a table or a relation that is made from it, outside of comments. */
function namesTable(sql: string, table: string): boolean {
  const name = table.replaceAll(/[^\w]/g, String.raw`\$&`)
  const pattern = new RegExp(
    String.raw`(?<![\w$])${name}(_current|_history|_sums_current|_revisions|_as_of\w*|_by_\w+)?(?![\w$])`,
  )
  return pattern.test(sql.replaceAll(/--.*$/gm, ''))
}
