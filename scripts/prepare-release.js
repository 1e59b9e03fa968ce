// `node scripts/prepare-release.js`, in a release only: makes package.json one that can be published, and
// prints what the changelog says about the version. RELEASE_NAME is the name in npm's registry, RELEASE_TAG
// the tag, such as v1.2.0. Refuses, and changes nothing, while no name is set, and for a tag that is not the
// version or that the changelog does not describe. Until it has run, `private` keeps npm from publishing.
import { readFileSync, writeFileSync } from 'node:fs'

const { RELEASE_NAME: name = '', RELEASE_TAG: tag = '' } = process.env
const { private: _, ...manifest } = JSON.parse(readFileSync('package.json', 'utf8'))
const { version } = manifest

if (name === '') {
  refuse('No name is set, so nothing is published', 'set the repository variable NPM_PACKAGE_NAME')
}
if (tag !== `v${version}`) {
  refuse(`The tag ${tag || 'of the release'} is not v${version}`, 'set the version in package.json')
}
const [, ...sections] = readFileSync('CHANGELOG.md', 'utf8').split(/^## /m)
const notes = sections.find((section) => section.startsWith(`${version} `))
if (notes === undefined) {
  refuse(
    `CHANGELOG.md does not describe ${version}`,
    `rename "## Unreleased" to "## ${version} - <date>"`,
  )
}
writeFileSync('package.json', `${JSON.stringify({ ...manifest, name }, null, 2)}\n`)
process.stdout.write(`## ${notes}`)

function refuse(message, hint) {
  process.stderr.write(`${message}\n  hint: ${hint}\n`)
  process.exit(1)
}
