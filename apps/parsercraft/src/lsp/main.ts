#!/usr/bin/env node
import { createConnection, ProposedFeatures } from 'vscode-languageserver/node';
import { serve } from './server.ts';

// Standard output carries the protocol: nothing else may be written to it.
serve(createConnection(ProposedFeatures.all, process.stdin, process.stdout));
