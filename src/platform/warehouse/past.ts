import { identifier } from '../io/sql.ts'
import { historyColumns, isPresent } from '../project/fact-names.ts'
import type { Fact } from '../project/model.ts'
import { haveSameKey } from './same-key.ts'

/**
 * SQL condition that anything was known at the moment `$1`; false for a null. It spares a look at
 * every row for a moment before the first batch, such as the day before a first load.
 */
export function isAnythingKnown(fact: Fact): string {
  const { table } = fact
  const moment = identifier(historyColumns(fact).recordedAt)
  return `exists (select 1 from ${identifier(table)} as n where n.${moment} <= $1)`
}

/**
 * SQL condition that some version of a row's key was captured after the moment `$1`. Every row for
 * which it is false was known then as it is now.
 */
export function changedLater(fact: Fact, alias: string): string {
  const moment = identifier(historyColumns(fact).recordedAt)
  return `exists (
        select 1 from ${identifier(fact.table)} as n
        where ${haveSameKey(fact, 'n', alias)} and n.${moment} > $1
    )`
}

/**
 * SQL condition that a version was its key's newest at the moment `$1`, is not a deletion, and is
 * followed by a later version. With the rows for which `changedLater` is false, these versions are
 * everything that was known then.
 */
export function newestThen(fact: Fact, alias: string): string {
  const recordId = identifier(fact.recordId)
  const { recordedAt, operation } = historyColumns(fact)
  const moment = identifier(recordedAt)
  return `${alias}.${moment} <= $1
        and ${isPresent(fact, `${alias}.${identifier(operation)}`)}
        and ${changedLater(fact, alias)}
        and not exists (
            select 1
            from ${identifier(fact.table)} as n
            where ${haveSameKey(fact, 'n', alias)}
                and n.${recordId} > ${alias}.${recordId}
                and n.${moment} <= $1
        )`
}
