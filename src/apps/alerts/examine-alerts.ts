import type { Config } from '../../platform/config.ts'
import { check, type Finding } from '../../platform/inspect/finding.ts'

/**
 * Checks the settings of alerts: connects to the mail server and logs in, but sends nothing. Nothing
 * to find if no alerts are set up. Never throws.
 */
export async function examineAlerts(config: Config): Promise<Finding[]> {
  const findings: Finding[] = []
  const { TIDEMARK_ALERT_TO: to, TIDEMARK_ALERT_WEBHOOK: webhook } = config
  if (to !== undefined) {
    const { alertMailer } = await import('./recipients.ts')
    const take = async () => {
      await alertMailer(config)?.check()
      return 'the mail server lets us in; to send one: tidemark alerts test'
    }
    findings.push(
      await check('alerts by mail', take, {
        next: 'check TIDEMARK_SMTP_URL, and that this machine can reach the server',
      }),
    )
  }
  if (webhook !== undefined) {
    findings.push({
      what: 'alerts by webhook',
      ok: true,
      unchecked: true,
      detail: 'only a message can show whether it works',
      hint: 'tidemark alerts test',
    })
  }
  return findings
}
