import { child, list, type Node, stringField } from './select-lineage.ts'
import { isNode } from './join-scope.ts'

const CHANGE_NAMES = new Set(['_operation', '_captured_at', '_batch', '_ordinal'])

/** Columns of a change that a select may pass on, under their own names. */
const PASSABLE = new Set(['_operation', '_captured_at', '_ordinal'])

/**
 * The first column of a change (`_operation`, `_captured_at`, `_batch`, `_ordinal`) that a parsed
 * select uses for anything but passing it on under its own name; undefined if there is none. Pure.
 */
export function findChangeValue(part: unknown): string | undefined {
  if (Array.isArray(part)) return firstOf(part)
  if (!isNode(part)) return undefined
  const column = changeColumn(part)
  if (column !== undefined) return column
  const { select_list: _, ...rest } = part
  return firstOf([
    ...list(part, 'select_list').filter((each) => !isPassed(each)),
    ...Object.values(rest),
  ])
}

function firstOf(parts: readonly unknown[]): string | undefined {
  for (const each of parts) {
    const found = findChangeValue(each)
    if (found !== undefined) return found
  }
  return undefined
}

/** The column of a change that an expression shows; undefined if it shows none. */
function changeColumn(expression: Node): string | undefined {
  if (expression['class'] !== 'COLUMN_REF') return undefined
  const name = stringField(list(expression, 'column_names').at(-1)).toLowerCase()
  return CHANGE_NAMES.has(name) ? name : undefined
}

/** Whether an output column is a change's column, plain or cast, under its own name. */
function isPassed(output: Node): boolean {
  const column = changeColumn(output['class'] === 'CAST' ? child(output, 'child') : output)
  const alias = stringField(output['alias']).toLowerCase()
  return column !== undefined && PASSABLE.has(column) && (alias === '' || alias === column)
}
