import type { Context } from 'hono'
import { html } from 'hono/html'
import { openCsv } from '../../../platform/presentation/csv.ts'
import type { Filters, Question } from '../../../platform/presentation/question.ts'
import { openXlsx, XLSX_TYPE } from '../../../platform/presentation/xlsx.ts'
import type { ServerEnv } from '../access.ts'
import type { Markup } from '../markup.ts'
import type { Presentation } from '../presentation.ts'

/** The files in which an answer can be had: what opens each, its type, and what people call it. */
const FORMATS = {
  csv: { open: openCsv, type: 'text/csv; charset=utf-8; header=present', label: 'CSV' },
  xlsx: { open: openXlsx, type: XLSX_TYPE, label: 'Excel' },
} as const

/** How a file of an answer ends. */
export type DownloadFormat = keyof typeof FORMATS

/** The formats of files, the first one first in the links. */
export const DOWNLOAD_FORMATS = ['csv', 'xlsx'] as const satisfies readonly DownloadFormat[]

/** The media type of a file. */
export function typeOfDownload(format: DownloadFormat): string {
  return FORMATS[format].type
}

/** Answers with the rows of a question as a file to keep. Throws what opening it throws. */
export async function answerFile(
  c: Context<ServerEnv>,
  { reader, now }: Pick<Presentation, 'reader' | 'now'>,
  asked: {
    readonly format: DownloadFormat
    readonly question: Question
    readonly filters: Filters
  },
): Promise<Response> {
  const { open, type } = FORMATS[asked.format]
  const { fileName, body } = await open(reader, asked.question, {
    filters: asked.filters,
    signal: c.req.raw.signal,
    now,
  })
  return new Response(body, {
    headers: {
      'content-type': type,
      'content-disposition': `attachment; filename="${fileName}"`,
      'cache-control': 'private, no-cache',
    },
  })
}

/** A link for each file: the address of what it holds, the query, and what follows the label. */
export function renderFileLinks(path: string, query: string, suffix = ''): Markup {
  return html`${DOWNLOAD_FORMATS.map(
    (format) =>
      html` <a href="${path}.${format}${query}" download>${FORMATS[format].label}${suffix}</a>`,
  )}`
}
