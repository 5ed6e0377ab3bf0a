import fc from 'fast-check';

/**
 * Property tests try the same cases in every check, so that one that fails fails again;
 * `scripts/check --long` tries others.
 */
if (process.env['ANYCAST_HA_LONG_TESTS'] === undefined) fc.configureGlobal({ seed: 20_261_126 });
