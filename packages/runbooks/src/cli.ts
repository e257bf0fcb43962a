#!/usr/bin/env node
import { command } from './command.ts';

const { code, out, err } = command(process.argv.slice(2));
process.stdout.write(out);
process.stderr.write(err);
process.exitCode = code;
