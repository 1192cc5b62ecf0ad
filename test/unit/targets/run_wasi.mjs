// Runs a program of WASI: node run_wasi.mjs PROGRAM ARGUMENT...
import { WASI } from 'node:wasi';
import { readFile } from 'node:fs/promises';
const [program, ...rest] = process.argv.slice(2);
const wasi = new WASI({ version: 'preview1', args: [program, ...rest], env: {}, preopens: { '.': '.' } });
const module = await WebAssembly.compile(await readFile(program));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
process.exitCode = wasi.start(instance);
