import { runCommand } from './child.ts';

// Bold and underlined letters are overstruck.
// eslint-disable-next-line no-control-regex -- it is a backspace that does it
const OVERSTRIKE = /.\u0008/g;

/** A man page as man(1) shows it: text is indented by 7 columns, that of terms by 14. */
export async function formatManPage(roff: string, width: number): Promise<string> {
  const args = ['-T', 'ascii', '-O', `width=${width}`];
  const { exitCode, stdout, stderr } = await runCommand('mandoc', args, { input: roff });
  if (exitCode !== 0) throw new Error(`mandoc: ${stderr}`);
  return stdout.replace(OVERSTRIKE, '');
}
