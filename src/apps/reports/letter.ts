import { html } from 'hono/html'
import { formatTable } from '../format.ts'

/** The content of a mail, before it is written in its two forms. */
export interface Letter {
  readonly subject: string
  readonly title: string
  /** What the figures are about and how old they are, each with its name. */
  readonly facts: readonly (readonly [name: string, says: string])[]
  readonly sections: readonly Section[]
  /** The page with the same figures, if the recipients may see it. */
  readonly link: { readonly href: string; readonly says: string } | undefined
  /** Why the recipient gets this mail. */
  readonly foot: string
}

/** A part of a letter: lines, then a table. */
export interface Section {
  readonly title: string
  readonly note?: string | undefined
  readonly lines: readonly string[]
  readonly table?: LetterTable | undefined
}

/** The first rows of an answer. Numbers are aligned right. */
export interface LetterTable {
  readonly header: readonly string[]
  readonly isNumber: readonly boolean[]
  readonly rows: readonly (readonly string[])[]
  /** Says which rows are left out, if any are. */
  readonly more: string | undefined
}

/** Writes a letter as plain text. */
export function writeTextForm({ title, facts, sections, link, foot }: Letter): string {
  const width = Math.max(...facts.map(([name]) => name.length))
  const parts = [
    underline(title, '='),
    facts.map(([name, says]) => `${`${name}:`.padEnd(width + 2)}${says}`).join('\n'),
    ...sections.map(writeSection),
    link === undefined ? '' : `${link.says}:\n${link.href}`,
    `-- \n${foot}`,
  ]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

function writeSection({ title, note, lines, table }: Section): string {
  const body = [
    lines.join('\n'),
    table === undefined ? '' : formatTable(table.header, table.rows),
    table?.more ?? '',
    note ?? '',
  ]
  return [underline(title, '-'), ...body].filter((part) => part !== '').join('\n')
}

function underline(title: string, mark: string): string {
  return `${title}\n${mark.repeat(title.length)}`
}

const FONT = 'font-family: sans-serif; font-size: 14px; color: #1c2430'
const CELL = 'padding: 3px 12px 3px 0; border-bottom: 1px solid #dde2ea; vertical-align: top'
const QUIET = 'color: #5b6677'

/**
 * Writes a letter as a page of simple HTML: no script, and nothing that a mail program would fetch.
 * Every text is escaped.
 */
export async function writeHtmlForm({
  subject,
  title,
  facts,
  sections,
  link,
  foot,
}: Letter): Promise<string> {
  const page = await html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <title>${subject}</title>
      </head>
      <body style="${FONT}">
        <h1 style="font-size: 20px">${title}</h1>
        <table style="${FONT}; border-collapse: collapse">
          ${facts.map(
            ([name, says]) =>
              html`<tr>
                <th style="${QUIET}; text-align: left; padding-right: 12px">${name}</th>
                <td>${says}</td>
              </tr>`,
          )}
        </table>
        ${sections.map(renderSection)}
        ${link === undefined ? '' : html`<p><a href="${link.href}">${link.says}</a></p>`}
        <p style="${QUIET}; font-size: 12px">${foot}</p>
      </body>
    </html>`
  return String(page)
}

function renderSection({ title, note, lines, table }: Section) {
  return html`<h2 style="font-size: 16px">${title}</h2>
    ${lines.map((line) => html`<p style="margin: 2px 0">${line}</p>`)}
    ${table === undefined ? '' : renderTable(table)}
    ${note === undefined ? '' : html`<p style="${QUIET}">${note}</p>`}`
}

function renderTable({ header, isNumber, rows, more }: LetterTable) {
  const style = (place: number) =>
    `${CELL}; text-align: ${isNumber[place] === true ? 'right' : 'left'}`
  return html`<table style="${FONT}; border-collapse: collapse">
      <tr>
        ${header.map((name, place) => html`<th style="${style(place)}">${name}</th>`)}
      </tr>
      ${rows.map(
        (row) =>
          html`<tr>
            ${row.map((cell, place) => html`<td style="${style(place)}">${cell}</td>`)}
          </tr>`,
      )}
    </table>
    ${more === undefined ? '' : html`<p style="${QUIET}">${more}</p>`}`
}
