import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { runCommand, type Finished } from './child.ts';

/**
 * What a shell offers when TAB is pressed at the end of a line.
 *
 * @param script the completion script
 * @param line the command line so far
 * @param folder an empty one, to work in; files in it are what completing a file offers
 * @param prepare shell commands that run first
 * @returns the candidates, each once, sorted
 */
export type CompletionTrial = (
  script: string,
  line: string,
  folder: string,
  prepare?: string,
) => Promise<string[]>;

/** Runs a shell within a mount namespace, where `prepare` may mount over /run. */
function runShell(shell: string, file: string, folder: string): Promise<Finished> {
  return runCommand('unshare', ['--mount', shell, file], {
    cwd: folder,
    env: { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', HOME: folder, TERM: 'dumb' },
  });
}

function candidates({ exitCode, stdout, stderr }: Finished): string[] {
  if (exitCode !== 0 || stderr !== '') throw new Error(`exit ${exitCode}: ${stderr}`);
  return [...new Set(stdout.split('\n').filter((line) => line !== ''))].sort();
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Calls the completion function as bash does, with the line split as bash splits it. */
export const tryInBash: CompletionTrial = async (script, line, folder, prepare = ':') => {
  const words = line.split(/([\s=:]+)/).flatMap((part) => {
    const word = part.trim();
    return word === '' ? [] : [word];
  });
  if (/\s$/.test(line)) words.push('');
  const file = path.join(folder, '.trial.bash');
  writeFileSync(
    file,
    `${prepare}
${script}
compopt() { :; }
COMP_LINE=${quote(line)}
COMP_POINT=\${#COMP_LINE}
COMP_WORDS=(${words.map(quote).join(' ')})
COMP_CWORD=${words.length - 1}
_${(words[0] ?? '').replaceAll('-', '_')}
printf '%s\\n' "\${COMPREPLY[@]}"
`,
  );
  return candidates(await runShell('bash', file, folder));
};

/** Types the line into an interactive zsh, presses TAB, and notes what is offered there. */
export const tryInZsh: CompletionTrial = async (script, line, folder, prepare = ':') => {
  const name = line.split(' ')[0] ?? '';
  writeFileSync(path.join(folder, `.${name}.zsh`), script);
  writeFileSync(
    path.join(folder, '.setup.zsh'),
    `PS1=''
autoload -Uz compinit && compinit -u -D
source ./.${name}.zsh
compadd() {
  if [[ \${@[(I)-(O|A|D)]} -gt 0 ]]; then builtin compadd "$@"; return; fi
  local -a offered
  builtin compadd -A offered "$@"
  print -rl -- $offered >>.offered
  builtin compadd "$@"
}
finish() { print done >.finished }
zle -N finish
bindkey '^X' finish
print ready >.ready
`,
  );
  const file = path.join(folder, '.trial.zsh');
  writeFileSync(
    file,
    `${prepare}
zmodload zsh/zpty
await() { local -i n; for (( n = 0; n < 500; n++ )); do [[ -s $1 ]] && return; sleep 0.02; done; print -u2 "no $1"; exit 1 }
: >.offered; rm -f .ready .finished
zpty trial zsh -f -i
zpty -w trial 'source ./.setup.zsh'
await .ready
zpty -w -n trial ${quote(line)}$'\\t\\C-x'
await .finished
zpty -d trial
cat .offered
`,
  );
  return candidates(await runShell('zsh', file, folder));
};
