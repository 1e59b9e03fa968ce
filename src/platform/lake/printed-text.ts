/**
 * SQL of a lake value as the text that Postgres prints for it; null for a null. `value` is SQL too, in
 * the lake's type `type`. Types that Postgres prints as DuckDB does need no more than a cast.
 */
export function printedText(value: string, type: string): string {
  switch (type) {
    case 'BLOB':
      return `'\\x' || lower(hex(${value}))`
    case 'DATE':
    case 'TIMESTAMP':
    case 'TIMESTAMPTZ':
      // DuckDB puts its `(BC)` after the date, Postgres its `BC` at the end.
      return `regexp_replace(${value}::varchar, ' \\(BC\\)(.*)$', '\\1 BC')`
    case 'FLOAT':
      return floatText(value, { type, limit: '1e6' })
    case 'DOUBLE':
      return floatText(value, { type, limit: '1e15' })
    default:
      return `${value}::varchar`
  }
}

/**
 * SQL of a float's text. Both databases print the fewest digits that name the float. DuckDB adds `.0`
 * to a whole number, and writes an exponent from 1e16 on, Postgres from `limit` on. The text names the
 * same float in any case. Where two texts have a claim, as beyond 2^53, it may be the other one.
 */
function floatText(value: string, { type, limit }: { type: string; limit: string }): string {
  const mantissa = (digits: string) => `format('{:.' || ${digits} || 'e}', ${value})`
  const fewest = `list_filter(range(0, 17), lambda d: ${mantissa('d')}::${type} = ${value})[1]`
  return `case
    when isnan(${value}) then 'NaN'
    when isinf(${value}) then case when ${value} > 0 then 'Infinity' else '-Infinity' end
    when abs(${value}) >= ${limit} and abs(${value}) < 1e16 then ${mantissa(fewest)}
    else regexp_replace(${value}::varchar, '\\.0$', '')
  end`
}
