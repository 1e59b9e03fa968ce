import { CfnOutput, type Stack } from 'aws-cdk-lib'

/** Adds outputs by name. `cdk deploy` prints them; `docs/aws.md` and the runbook refer to them. */
export function output(stack: Stack, values: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(values)) {
    const made = new CfnOutput(stack, `${name}Output`, { value })
    made.overrideLogicalId(name)
  }
}
