/** Makes the columns of tables sortable: a click sorts by a column, another one the other way. */
export function addSorting(root: HTMLElement): void {
  for (const table of root.querySelectorAll<HTMLTableElement>('table[data-sortable]')) {
    const heads = [...table.querySelectorAll<HTMLTableCellElement>('thead th')]
    for (const [place, head] of heads.entries()) {
      const button = document.createElement('button')
      button.type = 'button'
      button.className = 'sort'
      button.append(...head.childNodes)
      head.append(button)
      button.addEventListener('click', () => sort(table, { heads, place }))
    }
  }
}

function sort(
  table: HTMLTableElement,
  { heads, place }: { heads: readonly HTMLTableCellElement[]; place: number },
): void {
  const body = table.tBodies[0]
  const head = heads[place]
  if (body === undefined || head === undefined) return
  const isDown = head.getAttribute('aria-sort') === 'ascending'
  for (const other of heads) other.removeAttribute('aria-sort')
  head.setAttribute('aria-sort', isDown ? 'descending' : 'ascending')
  const isNumber = head.classList.contains('number') || head.classList.contains('id')
  const rows = [...body.rows].map((row) => ({ row, value: valueOf(row.cells[place], isNumber) }))
  rows.sort((a, b) => compare(a.value, b.value, isDown))
  body.append(...rows.map(({ row }) => row))
}

type Value = number | string | undefined

/** Undefined for null, which comes last whichever way. */
function valueOf(cell: HTMLTableCellElement | undefined, isNumber: boolean): Value {
  const text = cell?.textContent?.trim() ?? ''
  if (cell === undefined || cell.title === 'null') return undefined
  return isNumber ? Number(text.replaceAll(',', '').replace('−', '-')) : text
}

function compare(a: Value, b: Value, isDown: boolean): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined)
  const order =
    typeof a === 'number' && typeof b === 'number'
      ? a - b
      : String(a).localeCompare(String(b), 'en', { numeric: true })
  return isDown ? -order : order
}
