import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { NEXT_APP } from './frameworks/next.js';
/** Builds the app of Next, unless it is built. */
export function buildNext() {
    if (existsSync(join(NEXT_APP, '.next/BUILD_ID')))
        return;
    const manifest = createRequire(import.meta.url).resolve('next/package.json');
    execFileSync(process.execPath, [join(dirname(manifest), 'dist/bin/next'), 'build', NEXT_APP], {
        env: { ...process.env, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' },
        stdio: ['ignore', 'ignore', 'inherit'],
    });
}
//# sourceMappingURL=next-build.js.map