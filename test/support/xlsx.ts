import { crc32, inflateRawSync } from 'node:zlib'

/** A cell as the file has it: its type, its value, and the format in which a number is shown. */
export interface XlsxCell {
  readonly type: 'number' | 'boolean' | 'text'
  readonly value: string
  readonly format: string
  readonly isBold: boolean
}

/** A workbook as it was read back. */
export interface Workbook {
  readonly sheet: string
  readonly widths: readonly number[]
  readonly isHeaderFrozen: boolean
  /** Undefined where a row has no cell. */
  readonly rows: readonly (readonly (XlsxCell | undefined)[])[]
}

/**
 * Reads a workbook with one sheet. Throws if the archive's directory and its files differ, if a part
 * is not well-formed XML, or if a reference leads nowhere.
 */
export function readXlsx(bytes: Uint8Array): Workbook {
  const parts = unzipParts(bytes)
  const xml = (name: string): Element => parseXml(parts.get(name) ?? fail(`no part ${name}`))
  const types = xml('[Content_Types].xml').all('Override')
  for (const { attributes } of types) {
    if (!parts.has(attributes['PartName']?.slice(1) ?? ''))
      fail('a type of a part that is not there')
  }
  const [sheet] = xml('xl/workbook.xml').all('sheet')
  const relation = xml('xl/_rels/workbook.xml.rels')
    .all('Relationship')
    .find(({ attributes }) => attributes['Id'] === sheet?.attributes['r:id'])
  const styles = readStyles(xml('xl/styles.xml'))
  const root = xml(`xl/${relation?.attributes['Target']}`)
  const [pane] = root.all('pane')
  return {
    sheet: sheet?.attributes['name'] ?? fail('a sheet without a name'),
    widths: root.all('col').map(({ attributes }) => Number(attributes['width'])),
    isHeaderFrozen: pane?.attributes['ySplit'] === '1' && pane.attributes['state'] === 'frozen',
    rows: root.all('row').map((row, index) => {
      if (row.attributes['r'] !== String(index + 1)) fail('rows that are not in order')
      return readRow(row, styles)
    }),
  }
}

type Styles = readonly Pick<XlsxCell, 'format' | 'isBold'>[]

function readStyles(root: Element): Styles {
  const known = new Map([
    ['0', 'General'],
    ['1', '0'],
    ['2', '0.00'],
  ])
  for (const { attributes } of root.all('numFmt')) {
    known.set(attributes['numFmtId'] ?? '', attributes['formatCode'] ?? '')
  }
  const fonts = root.all('font').map((font) => font.all('b').length > 0)
  const [cells] = root.all('cellXfs')
  return (cells?.children ?? []).map(({ attributes }) => ({
    format: known.get(attributes['numFmtId'] ?? '') ?? fail('a format that is not there'),
    isBold: fonts[Number(attributes['fontId'])] ?? fail('a font that is not there'),
  }))
}

function readRow(row: Element, styles: Styles): (XlsxCell | undefined)[] {
  const cells: (XlsxCell | undefined)[] = []
  for (const cell of row.children) {
    const { r: place = '', t: type = 'n', s: style = '0' } = cell.attributes
    const [, letters = '', number] = /^([A-Z]+)(\d+)$/.exec(place) ?? []
    if (number !== row.attributes['r']) fail(`a cell ${place} in row ${row.attributes['r']}`)
    const column = Array.from(letters).reduce(
      (sum, letter) => sum * 26 + letter.codePointAt(0)! - 64,
      0,
    )
    if (cell.all('f').length > 0) fail(`a formula in ${place}`)
    const [content] = cell.all(type === 'inlineStr' ? 't' : 'v')
    const text = content?.text ?? fail(`nothing in ${place}`)
    cells[column - 1] = {
      type: type === 'inlineStr' ? 'text' : type === 'b' ? 'boolean' : 'number',
      // As Excel reads a string (ECMA-376, 22.9.2.19).
      value: text.replace(/_x([\dA-Fa-f]{4})_/g, (_, hex: string) =>
        String.fromCharCode(Number.parseInt(hex, 16)),
      ),
      ...(styles[Number(style)] ?? fail(`a style of ${place} that is not there`)),
    }
  }
  return Array.from(cells)
}

/** The files of an archive by name. Throws if their sizes or checksums are not the directory's. */
export function unzipParts(archive: Uint8Array): ReadonlyMap<string, string> {
  const bytes = Buffer.from(archive)
  const end = bytes.length - 22
  if (bytes.readUInt32LE(end) !== 0x06054b50) fail('not a ZIP archive')
  const files = new Map<string, string>()
  let at = bytes.readUInt32LE(end + 16)
  for (let count = bytes.readUInt16LE(end + 10); count > 0; count -= 1) {
    const [crc, packed, plain] = [16, 20, 24].map((offset) => bytes.readUInt32LE(at + offset))
    const length = bytes.readUInt16LE(at + 28)
    const name = bytes.toString('latin1', at + 46, at + 46 + length)
    const start = bytes.readUInt32LE(at + 42)
    if (bytes.readUInt32LE(start) !== 0x04034b50) fail(`${name} is not where it should be`)
    const from = start + 30 + length
    const body = inflateRawSync(bytes.subarray(from, from + (packed ?? 0)))
    if (body.length !== plain || crc32(body) !== crc) fail(`${name} is damaged`)
    files.set(name, body.toString('utf8'))
    at += 46 + length
  }
  if (at !== end) fail('a directory of another size')
  return files
}

interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly Element[]
  readonly text: string
  /** The elements of a name below this one. */
  all(name: string): readonly Element[]
}

/** Parses XML without comments and CDATA. Throws if it is not well-formed. */
function parseXml(text: string): Element {
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/.test(text))
    fail('a forbidden character')
  const token =
    /<\?xml [^>]*\?>|<(?<close>\/?)(?<name>[\w:]+)(?<list>(?: [\w:]+="[^"<]*")*)(?<empty>\/?)>|[^<]+/y
  const stack: (Element & { children: Element[]; text: string })[] = [element('', '')]
  while (token.lastIndex < text.length) {
    const match = token.exec(text) ?? fail('a tag that is not well-formed')
    const { close, name, list = '', empty } = match.groups ?? {}
    const top = stack.at(-1) ?? fail('an end too many')
    if (name === undefined) top.text += match[0].startsWith('<?') ? '' : unescape(match[0])
    else if (close === '/') {
      if (stack.pop()?.name !== name) fail(`an end of ${name} without its start`)
    } else {
      const made = element(name, list)
      top.children.push(made)
      if (empty !== '/') stack.push(made)
    }
  }
  if (stack.length !== 1) fail('an end is missing')
  return stack[0]?.children[0] ?? fail('nothing in it')
}

function element(name: string, list: string): Element & { children: Element[]; text: string } {
  const children: Element[] = []
  const attributes: Record<string, string> = {}
  for (const [, key = '', value = ''] of list.matchAll(/([\w:]+)="([^"]*)"/g)) {
    attributes[key] = unescape(value)
  }
  const all = (wanted: string): readonly Element[] =>
    children.flatMap((child) => [...(child.name === wanted ? [child] : []), ...child.all(wanted)])
  return { name, attributes, children, text: '', all }
}

function unescape(text: string): string {
  const known: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"' }
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/&(?:#(\d+)|(\w+));|&/g, (_, code?: string, name = '') =>
      code === undefined
        ? (known[name as string] ?? fail(`an entity ${String(name)}`))
        : String.fromCodePoint(Number(code)),
    )
}

function fail(why: string): never {
  throw new Error(`The workbook is not valid: ${why}`)
}
