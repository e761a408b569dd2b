// Lists a card's profiles, downloads a profile, shows its progress and enables it. Needs only Node.js.
// Usage: download.js EUICC ACTIVATION-CODE
'use strict';

const http = require('node:http');
const { randomUUID } = require('node:crypto');
const { createInterface } = require('node:readline');

const socketPath = process.env.LPAD_SOCKET ?? '/run/lpad/lpad.sock';

// Returns a text from a card or server without characters that control the terminal.
function shown(text) {
  return String(text).replace(/\p{C}/gu, '?');
}

function send(method, path, headers, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ socketPath, method, path, headers }, resolve);
    request.on('error', reject);
    request.end(body);
  });
}

// Sends a request and returns the answer; throws the kind and the sentence of a problem.
async function call(method, path, content) {
  // With a key, lpad carries out the request once, even if it is repeated after a lost answer.
  const headers = { 'Idempotency-Key': randomUUID() };
  const body = content === undefined ? undefined : JSON.stringify(content);
  for (let attempt = 1; ; attempt++) {
    try {
      const response = await send(method, path, headers, body);
      let text = '';
      for await (const chunk of response.setEncoding('utf8')) text += chunk;
      const answer = JSON.parse(text);
      if (response.statusCode >= 400) throw new Error(`${answer.kind}: ${answer.detail}`);
      return answer;
    } catch (error) {
      if (error.code !== 'ECONNRESET' || attempt === 2) throw error;
    }
  }
}

async function showProfiles(euicc) {
  const { profiles } = await call('GET', `/v1/euiccs/${euicc}/profiles`);
  for (const { iccid, state, nickname, name } of profiles) {
    console.log(shown(`profile ${iccid} ${state} ${nickname ?? name ?? ''}`));
  }
}

// Prints a change's progress until the change ends or waits.
async function follow(change) {
  // 'after=0-0' requests earlier events, too.
  const stream = await send('GET', `/v1/events?change=${change}&after=0-0`, {});
  // If the stream breaks off, the loop ends, and the change itself shows its state.
  stream.on('error', () => {});
  let event = '';
  for await (const line of createInterface({ input: stream })) {
    if (line.startsWith('event: ')) event = line.slice(7);
    if (!line.startsWith('data: ')) continue;
    const data = JSON.parse(line.slice(6));
    if (event === 'progress') console.log(`${Math.floor((data.sent * 100) / data.total)}%`);
    if (event === 'change') {
      console.log(shown(`change ${change}: ${data.state}`));
      if (['done', 'failed', 'cancelled', 'waiting'].includes(data.state)) break;
    }
  }
  stream.destroy();
}

async function main(euicc, code) {
  await showProfiles(euicc);
  const { id } = await call('POST', `/v1/euiccs/${euicc}/downloads`, { activation_code: code });
  await follow(id);
  const change = await call('GET', `/v1/changes/${id}`);
  if (change.state !== 'done') {
    // A waiting change has a question, or a pause after which lpad continues.
    const { question, pause } = change;
    const waits = question ? `asked for: ${question.kind}` : `waits: ${pause?.reason}`;
    throw new Error(change.error?.sentence ?? pause?.error?.sentence ?? waits);
  }
  const { iccid } = change.result;
  const switched = await call('POST', `/v1/euiccs/${euicc}/profiles/${iccid}/enable?wait=240`);
  console.log(shown(`enable ${iccid}: ${switched.state}`));
  if (switched.state !== 'done') throw new Error(switched.error?.sentence ?? switched.state);
  await showProfiles(euicc);
}

if (process.argv.length !== 4) {
  console.error('Usage: download.js EUICC ACTIVATION-CODE');
  process.exit(2);
}
main(...process.argv.slice(2)).catch((error) => {
  console.error(shown(error.message));
  process.exitCode = 1;
});
