import { hostname } from 'node:os'
import { randomUUID } from 'node:crypto'
import { ConfigError } from '../../../platform/errors.ts'
import { subjectLine } from '../../alerts/message.ts'
import { recipientsOf } from '../../alerts/recipients.ts'
import { describe } from '../../alerts/tell.ts'
import { formatMomentUtc, formatNumber } from '../../format.ts'
import { loadProject } from '../../project/load-project.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-code.ts'

/**
 * `tidemark alerts test`: sends a message to everybody who gets alerts. Throws `ConfigError`
 * (`ALERTS_OFF`) if nobody does.
 */
export async function testAlertsCommand({
  output,
  config,
  given,
}: CommandContext): Promise<number> {
  const recipients = recipientsOf(config)
  if (recipients.length === 0) {
    throw new ConfigError(
      'No alerts are set up: TIDEMARK_ALERT_TO and TIDEMARK_ALERT_WEBHOOK are not set',
      {
        code: 'ALERTS_OFF',
        hint: 'set one of them; docs/alerts.md says how',
      },
    )
  }
  const { project } = await loadProject(config, given)
  const message = {
    subject: subjectLine(project.title, 'a test; nothing is wrong'),
    text: `This is how an alert arrives. Nothing is wrong.\n\nSent by tidemark alerts test on ${hostname()} at ${formatMomentUtc(new Date().toISOString())}.\n`,
  }
  let failed = 0
  for (const [at, recipient] of recipients.entries()) {
    const { channel, address } = recipient
    const place = recipients.slice(0, at + 1).filter((each) => each.channel === channel).length
    try {
      await recipient.send(message, { id: randomUUID() })
      output.emit({ event: 'alert_tested', channel, recipient: place, ok: true })
      output.print(`  ${output.style('green', '✓')} ${channel.padEnd(8)} ${address}`)
    } catch (error) {
      failed += 1
      const fault = describe(error)
      output.emit({ event: 'alert_tested', channel, recipient: place, ok: false, ...fault })
      output.print(
        `  ${output.style('red', '✕')} ${channel.padEnd(8)} ${address}   ${fault.message}   ${fault.code}`,
      )
      if (fault.hint !== undefined) output.advise(`    Next: ${fault.hint}`)
    }
  }
  const sent = recipients.length - failed
  output.conclude({ event: 'alerts_tested', sent, failed })
  output.advise(
    failed === 0
      ? `\n  ${formatNumber(sent, 'message')} sent. Look whether it arrived.`
      : `\n  ${sent} of ${formatNumber(recipients.length, 'message')} sent.`,
  )
  return failed === 0 ? EXIT.done : EXIT.failed
}
