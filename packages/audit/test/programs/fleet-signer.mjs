// Signs checkpoints of a fleet, one after the other, and prints them.
import pg from 'pg';
import { postgresFleet } from '../../dist/fleet/index.js';
import { noteSigner } from '../../dist/index.js';

const { connectionString, schema, secretKey, count } = JSON.parse(process.argv[2]);
const pool = new pg.Pool({ connectionString, max: 3 });
const fleet = postgresFleet({ pool, schema, signer: noteSigner(secretKey) });
for (let i = 0; i < count; i++) process.stdout.write(await fleet.checkpoint());
await pool.end();
