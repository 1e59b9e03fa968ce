import { ConfigError } from '../../../platform/errors.ts'
import { openTogether } from '../../../platform/io/open-together.ts'
import { createReader } from '../../../platform/presentation/reader.ts'
import { createSavedQuestions } from '../../../platform/presentation/saved-questions.ts'
import { openEnvironment } from '../../environment.ts'
import { formatMomentUtc, formatNumber, formatTable } from '../../format.ts'
import { composeReport, composeThreshold } from '../../reports/compose.ts'
import type { Declaration } from '../../reports/declaration.ts'
import { digest } from '../../mail/deliveries.ts'
import { type Letter, writeHtmlForm, writeTextForm } from '../../reports/letter.ts'
import { createReportMailer } from '../../reports/report-mailer.ts'
import { type ReportSources, reportsFile, reportSources } from '../../reports/open-reports.ts'
import { pathOfSaved } from '../../reports/saved-subject.ts'
import { describeSchedule, slotsAround } from '../../reports/schedule.ts'
import { findFault } from '../../reports/send-due.ts'
import { readFigure } from '../../reports/threshold.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-code.ts'

/** `tidemark reports list`: shows and checks every declaration. Sends nothing. */
export async function listReportsCommand(context: CommandContext): Promise<number> {
  const { output } = context
  await using sources = await openSources(context)
  const { valid, broken } = await sources.readDeclarations()
  const rows: string[][] = []
  const faulty: [string, readonly string[]][] = broken.map(({ name, faults }) => [name, faults])
  for (const { name, faults } of broken) {
    output.emit({ event: 'report_declared', report: name, recipients: 0, ok: false, faults })
  }
  for (const declaration of valid) {
    const { name: report, kind, recipients } = declaration
    const fault = await findFault(declaration, sources)
    const faults = fault === undefined ? [] : [fault.message]
    if (fault !== undefined) faulty.push([report, faults])
    const { subject, when, next } = describe(declaration, new Date())
    const shown = { kind, subject, when, next, recipients: recipients.length }
    output.emit({ event: 'report_declared', report, ...shown, ok: fault === undefined, faults })
    rows.push([
      report,
      subject,
      when,
      next === undefined ? '' : formatMomentUtc(next),
      String(recipients.length),
    ])
  }
  const header = ['name', 'what', 'when', 'next', 'recipients']
  if (rows.length > 0) output.print(`\n${formatTable(header, rows)}`)
  for (const [name, faults] of faulty) {
    output.print(`\n  ${output.style('red', '✕')} ${name}`)
    for (const fault of faults) output.print(`    ${fault}`)
  }
  output.advise(
    faulty.length === 0
      ? `\n  ${output.style('green', '✓')} ${formatNumber(rows.length, 'declaration')}, all valid.   See a mail: tidemark reports send NAME --dry-run`
      : `\n  ${formatNumber(faulty.length, 'declaration')} not valid, and not sent. Correct them as docs/reports.md describes.`,
  )
  const [reports, invalid] = [valid.length + broken.length, faulty.length]
  output.conclude({ event: 'reports_listed', reports, invalid })
  return faulty.length === 0 ? EXIT.done : EXIT.usage
}

function describe(
  declaration: Declaration,
  now: Date,
): { subject: string; when: string; next: string | undefined } {
  const { question, saved } = declaration
  const asked = question ?? (saved === undefined ? '' : pathOfSaved(saved))
  if (declaration.kind === 'threshold') {
    const { column, is, value } = declaration
    return { subject: asked, when: `once ${column} is ${is} ${value}`, next: undefined }
  }
  const { page, schedule } = declaration
  return {
    subject: page ?? asked,
    when: describeSchedule(schedule),
    next: slotsAround(schedule, now).next.toISOString(),
  }
}

/** `tidemark reports send NAME`: sends a mail now, or with `--dry-run` prints it. */
export async function sendReportCommand(
  context: CommandContext,
  { name, dryRun }: { name: string; dryRun: boolean },
): Promise<number> {
  const { output, config } = context
  reportsFile(config) // first, because only a declared report lacks a mail server
  const mailer = dryRun ? undefined : createReportMailer(config)
  await using sources = await openSources(context)
  const declaration = find(await sources.readDeclarations(), name)
  const letter = await compose(declaration, sources)
  const { subject } = letter
  const text = writeTextForm(letter)
  const { recipients } = declaration
  const count = recipients.length
  const composed = { event: 'report_composed', report: name, subject, text } as const
  if (mailer === undefined) {
    output.conclude({ ...composed, recipients: count, dryRun })
    const from = config.TIDEMARK_MAIL_FROM ?? '(TIDEMARK_MAIL_FROM is not set)'
    output.print(`From: ${from}\nTo: ${recipients.join(', ')}\nSubject: ${subject}\n\n${text}`)
    return EXIT.done
  }
  output.emit({ ...composed, recipients: count, dryRun })
  const html = await writeHtmlForm(letter)
  const at = new Date().toISOString()
  let failed = 0
  for (const to of recipients) {
    try {
      await mailer.send({ to, subject, text, html, id: digest(`${name} ${to} ${at}`) })
      output.print(`  ${output.style('green', '✓')} ${to}`)
    } catch (error) {
      failed += 1
      output.print(`  ${output.style('red', '✕')} ${to}`)
      output.fail(error)
    }
  }
  output.conclude({ event: 'report_mailed', report: name, sent: count - failed, failed })
  return failed === 0 ? EXIT.done : EXIT.failed
}

function find(
  { valid, broken }: Awaited<ReturnType<ReportSources['readDeclarations']>>,
  name: string,
): Declaration {
  const found = valid.find((each) => each.name === name)
  if (found !== undefined) return found
  const fault = broken.find((each) => each.name === name)
  const names = [...valid, ...broken].map((each) => each.name).join(', ')
  throw new ConfigError(
    fault === undefined
      ? `The reports file declares no ${name}; it declares ${names || 'nothing'}`
      : `${name} in the reports file is not valid: ${fault.faults.join('; ')}`,
    {
      code: fault === undefined ? 'USAGE' : 'REPORT_INVALID',
      hint: 'tidemark reports list',
    },
  )
}

async function compose(declaration: Declaration, sources: ReportSources): Promise<Letter> {
  if (declaration.kind === 'report') {
    return await composeReport(declaration, { ...sources, slot: undefined })
  }
  const figureNow = await readFigure(declaration, sources)
  const { isCrossed, value: figure } = figureNow
  const crossed = { isCrossed, isByHand: true, at: new Date(), figure, isLate: false }
  return await composeThreshold(declaration, { ...sources, crossed, figureNow })
}

/** What reports are made from. Disposing closes what was opened for it. */
async function openSources({
  config,
  given,
  output,
  signal,
}: CommandContext): Promise<ReportSources & AsyncDisposable> {
  reportsFile(config) // before anything starts in vain
  return await openTogether(async (keep) => {
    const {
      deps,
      reader: warehouse,
      saverUrl,
      now,
    } = keep(
      await openEnvironment({
        config,
        given,
        log: output.log,
        fill: false,
        mustExist: true,
        signal,
      }),
    )
    const reader = keep(createReader(warehouse))
    const saved = saverUrl === undefined ? undefined : keep(createSavedQuestions({ url: saverUrl }))
    return reportSources({ config, deps, reader, saved, now })
  })
}
