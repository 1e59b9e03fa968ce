import { describe, expect, it } from 'vitest'
import { parseEnvFile } from '../env-file.ts'
import { projectFiles, withoutPassword } from './project-files.ts'
import type { ProposedProject } from './propose-project.ts'

const PROJECT: ProposedProject = {
  config: { name: 'shop', title: 'Shop', mirror: true },
  head: [],
  comments: new Map(),
  models: [],
}
/** Put together here, so that this file holds no connection string. */
const url = (password: string, more = ''): string =>
  ['postgresql://', 'reader:', password, '@db.example.org:5432/shop', more].join('')

const filesFor = (address: string, writesEnv: boolean) =>
  Object.fromEntries(
    projectFiles(PROJECT, { url: address, writesEnv }).map((file) => [file.path, file]),
  )

const settingIn = (text = ''): string | undefined =>
  parseEnvFile(Buffer.from(text), { file: '.env', isOwn: () => true }).get('TIDEMARK_SOURCE_URL')
    ?.value

describe('projectFiles()', () => {
  it('writes the password nowhere, unless the person says so', () => {
    const files = filesFor(url('hunter2x'), false)
    expect(Object.keys(files)).toEqual([
      'tidemark.config.ts',
      '.env.example',
      '.gitignore',
      'README.md',
    ])
    expect(JSON.stringify(files)).not.toContain('hunter2x')
    expect(settingIn(files['.env.example']?.text)).toBe(url('PASSWORD'))
    expect(files['README.md']?.text).toContain('cp .env.example .env')
    // Tidemark is installed beside the project, so a shell does not find it by its bare name.
    expect(files['README.md']?.text).not.toMatch(/^tidemark /m)
  })

  it.each(['hunter2x', 'a%23b%20c', "it's", 'a`b', "a'$HOME"])(
    'writes the password %s to .env so that it is read as it is',
    (password) => {
      const {
        '.env': env,
        '.env.example': example,
        'README.md': readme,
      } = filesFor(url(password), true)
      expect(settingIn(env?.text)).toBe(url(password))
      expect(env?.isSecret).toBe(true)
      expect(example?.text).not.toContain(password)
      expect(readme?.text).not.toContain('cp .env.example')
    },
  )
})

it.each([
  [url('x'), url('PASSWORD')],
  [
    url('x', '?password=x&sslpassword=y&sslmode=verify-full'),
    url('PASSWORD', '?password=PASSWORD&sslpassword=PASSWORD&sslmode=verify-full'),
  ],
  ['postgresql://reader@db/shop', 'postgresql://reader@db/shop'],
  ['postgresql:///shop', 'postgresql:///shop'],
])('withoutPassword() hides every password', (address, shown) => {
  expect(withoutPassword(address)).toBe(shown)
})
