/**
 * @param {string} _sources folder of the pages' Markdown
 * @param {string} _target folder for the built pages
 */
export async function buildManPages(_sources, _target) {
  await Promise.resolve();
}
