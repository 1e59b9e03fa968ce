const DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
const MAIN = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main'
const RELATIONSHIPS = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'
const PACKAGE = 'http://schemas.openxmlformats.org/package/2006'
const TYPE = 'application/vnd.openxmlformats-officedocument.spreadsheetml'

/** The styles of cells: their places in `xl/styles.xml`. */
export const STYLES = {
  plain: 0,
  header: 1,
  integer: 2,
  cents: 3,
  day: 4,
  second: 5,
  millisecond: 6,
} as const

/** The parts of a workbook with one sheet that do not depend on its rows. */
export function fixedParts(sheet: string): readonly { name: string; xml: string }[] {
  return [
    { name: '[Content_Types].xml', xml: CONTENT_TYPES },
    {
      name: '_rels/.rels',
      xml: relationships([['officeDocument', 'xl/workbook.xml']]),
    },
    { name: 'xl/workbook.xml', xml: workbook(sheetName(sheet)) },
    {
      name: 'xl/_rels/workbook.xml.rels',
      xml: relationships([
        ['worksheet', 'worksheets/sheet1.xml'],
        ['styles', 'styles.xml'],
      ]),
    },
    { name: 'xl/styles.xml', xml: STYLE_SHEET },
  ]
}

const CONTENT_TYPES = `${DECLARATION}<Types xmlns="${PACKAGE}/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/>
<Override PartName="/xl/workbook.xml" ContentType="${TYPE}.sheet.main+xml"/>
<Override PartName="/xl/styles.xml" ContentType="${TYPE}.styles+xml"/>
<Override PartName="/xl/worksheets/sheet1.xml" ContentType="${TYPE}.worksheet+xml"/>
</Types>`

/** In the order of `STYLES`. Formats below 164 are Excel's own: 1 is `0`, 2 is `0.00`. */
const STYLE_SHEET = `${DECLARATION}<styleSheet xmlns="${MAIN}">
<numFmts count="3">
<numFmt numFmtId="164" formatCode="yyyy-mm-dd"/>
<numFmt numFmtId="165" formatCode="yyyy-mm-dd hh:mm:ss"/>
<numFmt numFmtId="166" formatCode="yyyy-mm-dd hh:mm:ss.000"/>
</numFmts>
<fonts count="2">
<font><sz val="11"/><name val="Calibri"/></font>
<font><b/><sz val="11"/><name val="Calibri"/></font>
</fonts>
<fills count="2">
<fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>
</fills>
<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>
<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>
<cellXfs count="7">
<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>
<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>
${[1, 2, 164, 165, 166]
  .map(
    (format) =>
      `<xf numFmtId="${format}" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>`,
  )
  .join('\n')}
</cellXfs>
<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>
</styleSheet>`

function workbook(name: string): string {
  return `${DECLARATION}<workbook xmlns="${MAIN}" xmlns:r="${RELATIONSHIPS}">
<bookViews><workbookView/></bookViews>
<sheets><sheet name="${escapeXml(name)}" sheetId="1" r:id="rId1"/></sheets>
</workbook>`
}

function relationships(targets: readonly (readonly [type: string, target: string])[]): string {
  const entries = targets.map(
    ([type, target], index) =>
      `<Relationship Id="rId${index + 1}" Type="${RELATIONSHIPS}/${type}" Target="${target}"/>`,
  )
  return `${DECLARATION}<Relationships xmlns="${PACKAGE}/relationships">${entries.join('')}</Relationships>`
}

/**
 * A name that Excel takes for a sheet: no `[]:*?/\`, no apostrophe at an end, at most 31 characters,
 * and not `History`, which Excel reserves.
 */
function sheetName(text: string): string {
  const plain = text.replace(/[[\]:*?/\\\p{Cc}]/gu, ' ').slice(0, 31)
  const name = plain.replace(/^[' ]+|[' \uD800-\uDBFF]+$/g, '')
  return name === '' || /^history$/i.test(name) ? 'Sheet1' : name
}

/** What XML 1.0 cannot hold (2.2, Char), half of a pair included. */
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]|\p{Cs}/gu

/** What makes a text differ from its XML. Most texts have none of it, and one test finds out. */
// oxlint-disable-next-line no-control-regex
const SPECIAL = /[\u0000-\u0008\u000B-\u001F&<>"_\uD800-\uDFFF\uFFFE\uFFFF]/

/**
 * A text for the content or an attribute of Excel's XML. What XML cannot hold becomes U+FFFD.
 * Office Open XML writes characters as `_x000D_` (ECMA-376, 22.9.2.19), so a text that looks like
 * that gets its first underscore escaped.
 */
export function escapeXml(text: string): string {
  if (!SPECIAL.test(text)) return text
  return text
    .replace(FORBIDDEN, '\uFFFD')
    .replace(/_(?=x[\dA-Fa-f]{4}_)/g, '_x005F_')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\r', '&#13;')
}
