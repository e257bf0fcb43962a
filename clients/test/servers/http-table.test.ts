import { expect, it } from 'vitest';
import { CONTENDERS } from './http/contenders.ts';
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
