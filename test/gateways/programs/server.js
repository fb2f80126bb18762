// SPDX-License-Identifier: Apache-2.0
//
// Answers with what the file `answer` beside it holds, and ends as Node's documentation has it.
const { readFileSync } = require("node:fs");
const { createServer } = require("node:http");

const answer = readFileSync(`${__dirname}/answer`);
const server = createServer((_request, response) => response.end(answer));
server.listen(9080, "0.0.0.0");
process.on("SIGTERM", () => server.close());
