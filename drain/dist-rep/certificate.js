import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
/** A self-signed certificate for localhost, created for this process. */
export function selfSigned() {
    const folder = mkdtempSync(join(tmpdir(), 'temper-drain-'));
    try {
        const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
        const request = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -days 2';
        execFileSync('openssl', [...request.split(' '), '-keyout', key, '-out', cert], {
            stdio: 'ignore',
        });
        return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
    }
    finally {
        rmSync(folder, { recursive: true });
    }
}
//# sourceMappingURL=certificate.js.map