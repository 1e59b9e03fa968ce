import type { SourceTable } from '../../platform/project/source-contract.ts'

/** The descriptions of a model, from the comments on its table and columns in the source. Pure. */
export function describe(
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
