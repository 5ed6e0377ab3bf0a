import type { HelpSubject } from './help.ts';
import type { Option } from '../options/option.ts';

export type Shell = 'bash' | 'zsh';

/** What the words behind the options are; read from the synopsis. */
interface OperandKinds {
  readonly first: 'instance' | 'interface' | undefined;
  /** Whether a command line follows `--`. */
  readonly command: boolean;
}

/** Where completion looks for instances; that of a --state-dir elsewhere is not looked for. */
const STATE_FILES = '/run/anycast-ha/*.json';
const INTERFACES = '/sys/class/net/*';

/**
 * Writes a completion script that needs nothing but the shell: it starts no process of ours, and
 * knows the flags of the build it came with.
 *
 * @returns the whole script, ending in a newline
 */
export function renderCompletion(subject: HelpSubject, shell: Shell): string {
  return shell === 'bash' ? renderBash(subject) : renderZsh(subject);
}

function operandKinds(synopsis: string): OperandKinds {
  const words = synopsis.split(/[^A-Za-z-]+/);
  const interfaceFirst = words.find((word) => word !== '') === 'DEV';
  return {
    first: words.includes('INSTANCE') ? 'instance' : interfaceFirst ? 'interface' : undefined,
    command: words.includes('COMMAND'),
  };
}

/** A value that is several of the choices, with commas between. */
function isSelection(option: Option<unknown>): boolean {
  return option.choices.length > 0 && option.metavar.endsWith(',…');
}

function switches(name: string, option: Option<unknown>): string[] {
  return option.alias === undefined ? [`--${name}`] : [`-${option.alias}`, `--${name}`];
}

/** The shell function's name: some shells take no dash in it. */
function identifier(name: string): string {
  return name.replaceAll('-', '_');
}

function renderBash(subject: HelpSubject): string {
  const self = `_${identifier(subject.name)}`;
  const options = Object.entries(subject.table);
  const cases = options
    .filter(([, option]) => option.kind !== 'flag')
    .map(
      ([name, option]) =>
        `  ${switches(name, option).join('|')})\n${bashValue(option)}    return\n    ;;\n`,
    );
  const flags = options.flatMap(([name, option]) => switches(name, option)).join(' ');
  const operands = operandKinds(subject.synopsis);
  return `# bash completion for ${subject.name}(8)

# The names that files in a folder stand for: the last part of each path, without a suffix.
${self}_names() {
  local suffix=$1 path name
  shift
  for path; do
    name=\${path##*/}
    name=\${name%"$suffix"}
    if [ -e "$path" ] && [[ $name =~ ^[A-Za-z0-9._:@-]+$ ]]; then printf '%s\\n' "$name"; fi
  done
}

# Completes to one of the names given as lines. Where a colon ends a word, what precedes it is
# on the command line already.
${self}_reply_names() {
  local word=\${COMP_LINE:0:COMP_POINT} before i
  word=\${word##*[[:space:]=]}
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$word")
  [[ $word == *:* && $COMP_WORDBREAKS == *:* ]] || return 0
  before=\${word%"\${word##*:}"}
  for i in "\${!COMPREPLY[@]}"; do COMPREPLY[i]=\${COMPREPLY[i]#"$before"}; done
}

${self}() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous='' word i
  [ "$COMP_CWORD" -gt 0 ] && previous=\${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()

  # A flag and its value, joined by =, stand as three words here.
  if [ "$current" = '=' ]; then
    current=''
  elif [ "$previous" = '=' ] && [ "$COMP_CWORD" -gt 1 ]; then
    previous=\${COMP_WORDS[COMP_CWORD-2]}
  fi

  for ((i = 1; i < COMP_CWORD; i++)); do
    [ "\${COMP_WORDS[i]}" = '--' ] || continue
${bashBehindDashes(operands)}    return
  done

  case $previous in
${cases.join('')}  esac

  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W '${flags}' -- "$current")
    return
  fi
${operands.first === undefined ? '' : `  ${bashNames(self, operands.first)}\n`}}

complete -F ${self} ${subject.name}
`;

  function bashValue(option: Option<unknown>): string {
    const reply = 'mapfile -t COMPREPLY < <';
    if (isSelection(option)) {
      return `    word=''
    [[ $current == *,* ]] && word="\${current%,*},"
    mapfile -t COMPREPLY < <(compgen -P "$word" -W '${option.choices.join(' ')}' -- "\${current##*,}")
    compopt -o nospace 2>/dev/null
`;
    }
    if (option.choices.length > 0) {
      return `    ${reply}(compgen -W '${option.choices.join(' ')}' -- "$current")\n`;
    }
    switch (option.completes) {
      case 'file':
        return `    ${reply}(compgen -f -- "$current")\n    compopt -o filenames 2>/dev/null\n`;
      case 'directory':
        return `    ${reply}(compgen -d -- "$current")\n    compopt -o filenames 2>/dev/null\n`;
      case 'interface':
      case 'instance':
        return `    ${bashNames(self, option.completes)}\n`;
      case undefined:
        return '';
    }
  }
}

function bashBehindDashes({ command }: OperandKinds): string {
  if (!command) return '';
  return `    if [ "$COMP_CWORD" -eq $((i + 1)) ]; then
      mapfile -t COMPREPLY < <(compgen -c -- "$current")
    else
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      compopt -o filenames 2>/dev/null
    fi
`;
}

function bashNames(self: string, kind: 'instance' | 'interface'): string {
  const files = kind === 'instance' ? `.json ${STATE_FILES}` : `'' ${INTERFACES}`;
  return `${self}_reply_names "$(${self}_names ${files})"`;
}

function renderZsh(subject: HelpSubject): string {
  const self = `_${subject.name}`;
  const operands = operandKinds(subject.synopsis);
  const specs = Object.entries(subject.table).map(([name, option]) => zshOption(name, option));
  if (operands.first === 'instance') specs.push(`'*:instance:${zshNames('instance')}'`);
  if (operands.first === 'interface') {
    specs.push(`'1:interface:${zshNames('interface')}'`, `'*:operand:'`);
  }
  // Behind -- the words are a command of their own, and completed as such.
  const behindDashes = operands.command
    ? `  local dashes=\${words[(i)--]}
  if (( dashes < CURRENT )); then
    shift $dashes words
    (( CURRENT -= dashes ))
    _normal
    return
  fi
`
    : '';
  return `#compdef ${subject.name}
# zsh completion for ${subject.name}(8)

${self}() {
${behindDashes}  _arguments -S \\
    ${specs.join(' \\\n    ')}
}

if [ "$funcstack[1]" = '${self}' ]; then
  ${self} "$@"
else
  compdef ${self} ${subject.name}
fi
`;
}

function zshOption(name: string, option: Option<unknown>): string {
  const takesValue = option.kind !== 'flag';
  const again = option.kind === 'list' ? '*' : '';
  const long = `--${name}${takesValue ? '=' : ''}`;
  const text = `[${escapeZsh(option.describe)}]${takesValue ? `:${zshMessage(option)}:${zshAction(option)}` : ''}`;
  if (option.alias === undefined) return `'${again}${long}${text}'`;
  const short = `-${option.alias}${takesValue ? '+' : ''}`;
  const excludes = again === '' ? `(-${option.alias} --${name})` : again;
  return `'${excludes}'{${short},${long}}'${text}'`;
}

/** Text within single quotes within a spec of _arguments: brackets and colons mean something. */
function escapeZsh(text: string): string {
  return text.replace(/[\\[\]:]/g, '\\$&').replaceAll("'", "'\\''");
}

function zshMessage(option: Option<unknown>): string {
  return option.metavar
    .replace(/[^A-Za-z]+/g, ' ')
    .trim()
    .toLowerCase();
}

function zshAction(option: Option<unknown>): string {
  if (isSelection(option)) return `{_sequence compadd - ${option.choices.join(' ')}}`;
  if (option.choices.length > 0) return `(${option.choices.join(' ')})`;
  switch (option.completes) {
    case 'file':
      return '_files';
    case 'directory':
      return '_files -/';
    case 'interface':
    case 'instance':
      return zshNames(option.completes);
    case undefined:
      return ' ';
  }
}

function zshNames(kind: 'instance' | 'interface'): string {
  return kind === 'instance'
    ? `{compadd -- ${STATE_FILES}(N\\:t\\:r)}`
    : `{compadd -- ${INTERFACES}(N\\:t)}`;
}
