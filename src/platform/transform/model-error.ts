import { ContractError } from '../errors.ts'

/** Names one of a project's SQL files in messages. */
export interface SqlFile {
  readonly kind: 'Model' | 'Test'
  readonly name: string
}

/**
 * Runs `work`, the statements of a model or a test, and turns DuckDB's errors into a
 * `ContractError` that names the file. DuckDB quotes values in the messages of failed casts, so
 * only messages about names and syntax are passed on; of others, only the kind of error is.
 * Rethrows any other error.
 */
export async function withModelErrors<T>(
  { kind, name }: SqlFile,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const [message = '', cause] =
      /^(Binder|Catalog|Parser|Conversion|Invalid Input|Out of Range) Error.*/.exec(
        error instanceof Error ? error.message : '',
      ) ?? []
    if (cause === undefined) throw error
    const aboutNames = cause === 'Binder' || cause === 'Catalog' || cause === 'Parser'
    const code = kind.toUpperCase()
    throw new ContractError(
      aboutNames
        ? `${kind} ${name} does not fit the source as captured: ${message}`
        : `${kind} ${name} cannot read a value of the source: ${cause} Error`,
      {
        code: aboutNames ? `${code}_INVALID` : `${code}_CAST`,
        hint: aboutNames
          ? `correct ${name}.sql; nothing was published`
          : `use try_cast in ${name}.sql; nothing was published`,
        cause: error,
      },
    )
  }
}
