#!/usr/bin/env node
import { createConnection, ProposedFeatures } from 'vscode-languageserver/node';
import { serve } from './server.ts';

// Standard output is the protocol's: nothing else may be written there.
serve(createConnection(ProposedFeatures.all, process.stdin, process.stdout));
