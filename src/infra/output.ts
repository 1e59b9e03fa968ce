import { CfnOutput, type Stack } from 'aws-cdk-lib'

/** What `cdk deploy` prints, and `docs/aws.md` and the runbook ask for, by name. */
export function output(stack: Stack, values: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(values)) {
    const made = new CfnOutput(stack, `${name}Output`, { value })
    made.overrideLogicalId(name)
  }
}
