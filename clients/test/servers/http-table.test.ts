import { expect, it } from 'vitest';
import { CONTENDERS } from './http/contenders.ts';
import { DOTNET } from './http/dotnet.ts';
import { renderHttp } from './http/page.ts';
import { SITUATIONS } from './http/situations.ts';

it('clients with their own resilience do what docs/http.md says, against the same flaky servers', async () => {
  const rows = await Promise.all(
    SITUATIONS.map(async ({ happens, observe }) => ({
      happens,
      cells: await Promise.all(CONTENDERS.map(observe)),
    })),
  );
  const page = renderHttp(
    CONTENDERS.map(({ name }) => name),
    rows,
  );
  await expect(page).toMatchFileSnapshot('../../../docs/http.md');
});

it('the columns of .NET have a cell for each situation, and no other', () => {
  const situations = SITUATIONS.map(({ happens }) => happens);
  expect(Object.keys(DOTNET).toSorted()).toEqual(situations.toSorted());
});
