import type { ProjectConfig } from '../../platform/project/project-config.ts'
import type { SourceTable } from '../../platform/project/source-contract.ts'

/** A model that a project starts with. */
export interface ProposedModel {
  readonly name: string
  readonly config: NonNullable<ProjectConfig['models']>[string]
  readonly sql: string
  /** The source tables that it reads, by their names in the lake. */
  readonly reads: readonly string[]
}

/** The descriptions of a model, from the comments on its table and columns in the source. Pure. */
export function describeModel(
  { description }: SourceTable,
  columns: readonly { readonly name: string; readonly comment?: string | undefined }[],
): { description?: string; descriptions?: Record<string, string> } {
  const said = columns.flatMap(({ name, comment }) =>
    comment === undefined ? [] : [[name, comment]],
  )
  return {
    ...(description !== undefined && { description }),
    ...(said.length > 0 && { descriptions: Object.fromEntries(said) as Record<string, string> }),
  }
}
