// Serves a log of files until it is killed.
import { auditLog } from '../../dist/index.js';
import { fileSink } from '../../dist/sinks/file/index.js';
import { serveLog } from '../../dist/socket/index.js';

const { directory, path } = JSON.parse(process.argv[2]);
const log = auditLog({ sinks: [fileSink({ directory, maxSegmentBytes: 32_768 })] });
await serveLog(log, { path });
process.stdout.write('ready\n');
