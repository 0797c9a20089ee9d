// SPDX-License-Identifier: GPL-2.0
//
// Decodes greedily with an unmodified llama.cpp (node-llama-cpp and its prebuilt
// binary) and writes what it saw as JSON:
//
//	node decode.mjs --lib NODE_MODULES --model FILE --out JSON [--tokens N]
//		[--warm N] [--threads N] [--disk NAME] [--at COMMAND]
//
// The first --warm tokens are decoded and compared, but not measured: by then
// loading is over and every run is in its steady state. COMMAND is called as
// `COMMAND start` and `COMMAND end`, outside of what is timed.

import {execFileSync} from "node:child_process";
import {readFileSync, writeFileSync} from "node:fs";
import {join} from "node:path";
import {parseArgs} from "node:util";
import {pathToFileURL} from "node:url";

const PROMPT = "Tiers:";
const SECTOR = 512;

const {values: opt} = parseArgs({options: {
    lib: {type: "string"},
    model: {type: "string"},
    out: {type: "string"},
    disk: {type: "string"},
    at: {type: "string"},
    tokens: {type: "string", default: "8"},
    warm: {type: "string", default: "2"},
    threads: {type: "string", default: "2"}
}});

const seconds = () => Number(process.hrtime.bigint()) / 1e9;

/** Bytes read from the drive since boot: field 3 of its stat file is sectors read. */
function diskRead() {
    if (opt.disk == null)
        return 0;
    const stat = readFileSync(`/sys/block/${opt.disk}/stat`, "ascii").trim().split(/\s+/);
    return Number(stat[2]) * SECTOR;
}

/** The mapping of the model, from smaps: how much is in memory, and how mapped. */
function mapping() {
    const sum = {Size: 0, Rss: 0, FilePmdMapped: 0, Anonymous: 0};
    let inside = false;
    for (const line of readFileSync("/proc/self/smaps", "utf8").split("\n")) {
        const area = line.match(/^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+\s*(.*)$/);
        if (area != null)
            inside = area[1] === opt.model;
        const value = line.match(/^(\w+):\s+(\d+) kB$/);
        if (inside && value != null && value[1] in sum)
            sum[value[1]] += Number(value[2]) * 1024;
    }
    return sum;
}

function at(when) {
    if (opt.at != null)
        execFileSync(opt.at, [when], {stdio: ["ignore", "inherit", "inherit"]});
    return {time: seconds(), disk: diskRead()};
}

const begin = seconds();
const {getLlama} = await import(
    pathToFileURL(join(opt.lib, "node-llama-cpp/dist/index.js")));
const llama = await getLlama({build: "never", gpu: false, progressLogs: false});
const imported = seconds();

const model = await llama.loadModel({
    modelPath: opt.model,
    useMmap: true,
    ignoreMemorySafetyChecks: true
});
const context = await model.createContext({
    contextSize: 128,
    batchSize: 128,
    threads: {ideal: Number(opt.threads), min: Number(opt.threads)},
    ignoreMemorySafetyChecks: true
});
const loaded = seconds();
console.log(`loaded ${(loaded - imported).toFixed(1)}`);

const warm = Number(opt.warm);
const total = warm + Number(opt.tokens);
const prompt = model.tokenize(PROMPT);
const tokens = [];
const marks = [];
let start;

for await (const token of context.getSequence().evaluate(prompt, {
    temperature: 0,
    yieldEogToken: true
})) {
    tokens.push(token);
    if (tokens.length > warm)
        marks.push({time: seconds(), disk: diskRead()});
    console.log(`token ${tokens.length} ${token}`);
    if (tokens.length === warm)
        start = at("start");
    if (tokens.length === total)
        break;
}
const end = marks[marks.length - 1];
at("end");

writeFileSync(opt.out, JSON.stringify({
    tokens,
    warm,
    threads: context.currentThreads || Number(opt.threads),
    prompt_tokens: prompt.length,
    import_s: imported - begin,
    load_s: loaded - imported,
    decode_s: end.time - start.time,
    decode_tokens: marks.length,
    disk_bytes: end.disk - start.disk,
    token_s: marks.map((m, i) => m.time - (i ? marks[i - 1] : start).time),
    token_disk_bytes: marks.map((m, i) => m.disk - (i ? marks[i - 1] : start).disk),
    model_mapping: mapping()
}, null, 1) + "\n");
await llama.dispose();
