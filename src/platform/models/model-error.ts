import { ContractError } from '../errors.ts'
import type { Model } from '../project.ts'

/**
 * Runs `work`, a model's statements, and turns what DuckDB throws into a `ContractError` that names
 * the model. DuckDB quotes values in the messages of failed casts, so only those about names and
 * syntax are passed on.
 */
export async function withModelErrors<T>(model: Model, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const [message = '', kind] =
      /^(Binder|Catalog|Parser|Conversion|Invalid Input|Out of Range) Error.*/.exec(
        error instanceof Error ? error.message : '',
      ) ?? []
    if (kind === undefined) throw error
    const aboutNames = kind === 'Binder' || kind === 'Catalog' || kind === 'Parser'
    throw new ContractError(
      aboutNames
        ? `Model ${model.table} does not fit the source as captured: ${message}`
        : `Model ${model.table} failed on a value it must send to quarantine: ${kind} Error`,
      {
        code: aboutNames ? 'MODEL_INVALID' : 'MODEL_CAST',
        hint: aboutNames
          ? `correct ${model.table}.sql; nothing was published`
          : `use try_cast in ${model.table}.sql; nothing was published`,
        cause: error,
      },
    )
  }
}
