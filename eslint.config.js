import eslint from '@eslint/js';
import regexp from 'eslint-plugin-regexp';
import security from 'eslint-plugin-security';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Folders of src from the edge inwards; those on one line know nothing of one another. */
const LAYERS = [
  ['bin'],
  ['cli'],
  ['node'],
  ['pass'],
  ['probe'],
  ['advertise', 'options'],
  ['state'],
  ['system'],
];

/**
 * Imports point inwards: a folder is refused what lies on its own line or before it.
 *
 * @type {import('eslint').Linter.Config[]}
 */
const arrows = LAYERS.flatMap((line, depth) =>
  line.map((folder) => {
    const refused = LAYERS.slice(0, depth + 1)
      .flat()
      .filter((other) => other !== folder);
    return {
      files: [folder === 'bin' ? 'src/bin/**' : `src/lib/${folder}/**`],
      rules: {
        'no-restricted-imports': [
          'error',
          {
            patterns: [
              {
                regex: `^(?:\\.\\./)+(?:lib/)?(?:${['nowhere', ...refused].join('|')})/`,
                message: `Imports point from the edge inwards: ${LAYERS.map((names) => names.join(', ')).join(' → ')}.`,
              },
            ],
          },
        ],
      },
    };
  }),
);

/** Strict and typed. Every rule that is turned off says why. */
export default defineConfig(
  { ignores: ['dist/'] },
  eslint.configs.recommended,
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      // Numbers are printed in messages everywhere; their text form is never a surprise.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_' },
      ],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'Time comes from the Clock port.' },
      ],
    },
  },
  {
    // One process may run many instances at once: only the edge may touch process-wide state.
    files: ['src/lib/{node,pass,probe,advertise,options,state}/**'],
    rules: {
      'no-restricted-globals': [
        'error',
        { name: 'process', message: 'Only src/lib/cli and src/lib/system touch process.*' },
      ],
    },
  },
  {
    // Of eslint-plugin-security, the rules that can tell right from wrong here. Left out are
    // detect-object-injection (it reports each index into a list), detect-non-literal-fs-filename
    // (each path: folders are checked where they are opened), detect-possible-timing-attacks (each
    // name with 'secret' in it: an answer is compared once, with what only that question had), and
    // detect-unsafe-regex (it guesses by nesting; eslint-plugin-regexp looks at what can match).
    plugins: { security, regexp },
    rules: {
      'security/detect-bidi-characters': 'error',
      'security/detect-buffer-noassert': 'error',
      'security/detect-child-process': 'error',
      'security/detect-disable-mustache-escape': 'error',
      'security/detect-eval-with-expression': 'error',
      'security/detect-new-buffer': 'error',
      'security/detect-non-literal-regexp': 'error',
      'security/detect-non-literal-require': 'error',
      'security/detect-pseudoRandomBytes': 'error',
      // What the service answers is matched by regular expressions: none may take its time.
      'regexp/no-super-linear-backtracking': 'error',
      'regexp/no-super-linear-move': 'error',
      'no-script-url': 'error',
    },
  },
  ...arrows,
  {
    // What is matched here is written by whoever calls us: an argument, a configuration.
    files: ['src/lib/{cli,options,probe}/**'],
    rules: { 'regexp/no-super-linear-move': 'off' },
  },
  {
    files: ['test/**', 'scripts/**'],
    rules: {
      'no-restricted-properties': 'off',
      // These match what we wrote ourselves, and start what they test or build with.
      'regexp/no-super-linear-backtracking': 'off',
      'regexp/no-super-linear-move': 'off',
      'security/detect-child-process': 'off',
      'security/detect-non-literal-regexp': 'off',
    },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    extends: [tseslint.configs.disableTypeChecked],
    rules: {
      // tsc checks both, by the types in JSDoc.
      'no-undef': 'off',
      '@typescript-eslint/explicit-module-boundary-types': 'off',
    },
  },
);
