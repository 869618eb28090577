import { expect, it } from 'vitest';
import { createCollectionIndex } from './collection-index.ts';

it('[DS-4] an index that nobody asks does not grow with every edit', () => {
  const index = createCollectionIndex(['name', 'age']);
  for (let ls = 1; ls <= 20_000; ls++) index.put(`r${ls % 10}`, ls, [[[`n${ls}`]], [[ls]]]);
  expect(index.size()).toBe(10);
  expect(index.held()).toBeLessThan(5_000);
});
