import type { OptionTable, Values } from '../../src/lib/options/option.ts';

/** The values of a table's options: of the given texts, and else of the defaults. */
export function optionValues<Table extends OptionTable>(
  table: Table,
  given: Readonly<Record<string, readonly string[]>> = {},
): Values<Table> {
  const entries = Object.entries(table).map(([name, option]) => {
    const texts = given[name] ?? option.defaultTexts;
    return [name, option.collect(texts.map((text) => option.parse(text)))];
  });
  return Object.fromEntries(entries) as Values<Table>;
}
