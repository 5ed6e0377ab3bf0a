import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runCommand } from './child.ts';
import { ROOT } from './executable.ts';

/** Runs a program. Throws Error when it fails. */
async function must(program: string, ...args: readonly string[]): Promise<void> {
  const { exitCode, stdout, stderr } = await runCommand(program, args, { timeoutMs: 60_000 });
  if (exitCode !== 0) throw new Error(`${program} ${args.join(' ')}: ${stdout}${stderr}`);
}

/** The name of the package that `scripts/package` builds of this tree. */
export function packageName(): string {
  const manifest = readFileSync(path.join(ROOT, 'package.json'), 'utf8');
  const { version } = JSON.parse(manifest) as { readonly version: string };
  return `anycast-ha_${version}_all.deb`;
}

/** Builds the package into a folder. Returns its path. */
export async function buildPackage(folder: string): Promise<string> {
  await must(path.join(ROOT, 'scripts/package'), folder);
  return path.join(folder, packageName());
}

/** Two packages of the one in a folder, which call themselves an older and a newer version. */
export async function repackAsOlder(folder: string): Promise<readonly [string, string]> {
  const tree = path.join(folder, 'tree');
  await must('dpkg-deb', '-R', path.join(folder, packageName()), tree);
  const control = path.join(tree, 'DEBIAN/control');
  const text = readFileSync(control, 'utf8');
  const files = [];
  for (const version of ['0.0.9', '9.0.0']) {
    writeFileSync(control, text.replace(/^Version: .*$/m, `Version: ${version}`));
    const file = path.join(folder, `version-${version}.deb`);
    await must('dpkg-deb', '--root-owner-group', '-Zgzip', '-b', tree, file);
    files.push(file);
  }
  return [files[0] ?? '', files[1] ?? ''];
}
