// What the tests ask the browser's side of subtext to do. Bytes come and go as base64url.

const folder = new URL(import.meta.url).searchParams.get("modules");
const load = (name) => import(`${folder}/${name}.js`);
const [bytes, carrier, codec, hpke, ids, items, keyring, proofs, reply, request, rig, support] =
  await Promise.all(
    ["bytes", "carrier", "codec", "hpke", "ids", "items", "keyring", "proof", "reply", "request", "rig", "support"].map(load),
  );
const { SealedError } = await load("errors");
const { fromBase64url: raw, toBase64url: text } = bytes;

/** X25519 keys of a vector. */
async function pairOf({ secret, point }) {
  const jwk = { kty: "OKP", crv: "X25519", x: point };
  return {
    privateKey: await crypto.subtle.importKey("jwk", { ...jwk, d: secret }, "X25519", false, ["deriveBits"]),
    publicKey: await crypto.subtle.importKey("jwk", jwk, "X25519", true, []),
  };
}

/** {error: code} of a SealedError, with what came before it; any other error is a fault. */
async function outcome(work, partial = {}) {
  try {
    return { ...partial, value: await work(), error: null };
  } catch (error) {
    if (!(error instanceof SealedError)) throw error;
    return { ...partial, error: error.code, message: error.message };
  }
}

export async function hpkeBothWays({ ephemeral, receiver, info, aad, plaintext }) {
  const pair = await pairOf(receiver);
  const bound = { info: raw(info), aad: raw(aad) };
  const sealed = await hpke.seal(raw(plaintext), {
    ...bound,
    key: raw(receiver.point),
    ephemeral: ephemeral && (await pairOf(ephemeral)),
  });
  const whole = bytes.concat(sealed.encapsulation, sealed.ciphertext);
  return { sealed: text(whole), opened: text(await hpke.open(whole, { ...bound, pair })) };
}

export async function sealRequests(asked) {
  const done = [];
  for (const { path, body, key, nodeId, token, now, secret, ephemeral, stream, choice } of asked) {
    const sealed = await request.sealRequest(
      { path, body: raw(body) },
      {
        key: raw(key), nodeId, token, now,
        secret: secret && raw(secret),
        ephemeral: ephemeral && (await pairOf(ephemeral)),
      },
    );
    done.push({
      payload: text(sealed.payload),
      body: request.requestBody(sealed.payload, { stream, choice }),
      secret: text(sealed.secret),
      encapsulation: text(sealed.encapsulation),
    });
  }
  return done;
}

/** @param {Uint8Array} data */
async function* pieces(data, size) {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

function written(item) {
  if ("body" in item) return { body: text(item.body) };
  const { status, contentType, headers } = item.head;
  return { head: { status, content_type: contentType, headers } };
}

/** asked: `data` as a carrier's bytes that come `size` at a time, or `frames`. */
export async function openReplies(asked) {
  const done = [];
  for (const each of asked) {
    const seen = [];
    const opener = new reply.ReplyOpener({ secret: raw(each.secret), encapsulation: raw(each.encapsulation) });
    const frames = each.frames
      ? each.frames.map(({ kind, payload }) => ({ kind, payload: raw(payload) }))
      : carrier.readCarrier(pieces(raw(each.data), each.size), each.stream);
    let opened = 0;
    const work = async () => {
      for await (const frame of frames) {
        seen.push(...(await opener.feed(frame)).map(written));
        opened += 1;
      }
      opener.close();
      return null;
    };
    const result = { ...(await outcome(work, { items: seen })), opened };
    // Nothing opens after the end or after an error, not even what is good.
    result.after = [];
    for (const frame of each.frames ?? [{ kind: 2, payload: text(new Uint8Array(144)) }]) {
      const again = () => opener.feed({ kind: frame.kind, payload: raw(frame.payload) });
      if (result.error === null || each.frames?.length !== opened) result.after.push((await outcome(again)).error);
    }
    done.push(result);
  }
  return done;
}

export async function readItems(asked) {
  const done = [];
  for (const { data, size } of asked) {
    const reader = new items.ItemReader();
    const seen = [];
    const work = async () => {
      for await (const piece of pieces(raw(data), size)) seen.push(...reader.feed(piece).map(written));
      return reader.isWhole;
    };
    done.push(await outcome(work, { items: seen }));
  }
  return done;
}

export async function openPayload({ pair, info, sealed }) {
  return text(await hpke.open(raw(sealed), { pair: await pairOf(pair), info: raw(info) }));
}

export async function verifyLists(asked) {
  const done = [];
  for (const { list, nodeId, now } of asked) {
    const work = async () =>
      (await keyring.verifySealingKeys(list, { nodeId, now })).map((key) => [key.kem, text(key.raw), key.expiresAt]);
    done.push(await outcome(work));
  }
  return done;
}

export async function readTexts(texts) {
  const frames = (content) => codec.readFrames(content).map(({ kind, payload }) => [kind, text(payload)]);
  const done = [];
  for (const content of texts) done.push(await outcome(() => frames(content)));
  return done;
}

export function selectors(data) {
  const made = codec.toSelectors(raw(data));
  return { made, back: text(codec.fromSelectors(made)) };
}

export const eventsOf = async ({ data, size }) => {
  const events = [];
  for await (const event of carrier.readEvents(pieces(raw(data), size))) events.push(event);
  return events;
};

/** Random bytes, texts and small changes of good ones; counts how each ended. */
export async function fuzz({ rounds, good, list, nodeId, now }) {
  const ended = {};
  const random = (below) => Math.floor(Math.random() * below);
  const noise = (length) => crypto.getRandomValues(new Uint8Array(length));
  const spoil = (data) => {
    const spoilt = data.slice(0, random(4) ? data.length : random(data.length));
    for (let times = 1 + random(3); times--; ) spoilt[random(spoilt.length)] ^= 1 << random(8);
    return spoilt;
  };
  const head = bytes.concat(Uint8Array.of(1, 40), bytes.utf8('{"status":200,"content_type":"text/html"}'));
  const { secret, encapsulation } = good;
  const opener = () => new reply.ReplyOpener({ secret: raw(secret), encapsulation: raw(encapsulation) });
  const kinds = [
    () => codec.readFrames(codec.toSelectors(spoil(raw(good.run)))),
    () => codec.readFrames(codec.toSelectors(bytes.concat(bytes.utf8("LR\x01\x02"), noise(random(300))))),
    () => carrier.framesIn(String.fromCharCode(...noise(random(60)))),
    () => carrier.framesIn(JSON.stringify({ choices: [{ delta: { content: String.fromCharCode(...new Uint16Array(noise(64).buffer)) } }] })),
    () => new items.ItemReader().feed(noise(random(200))),
    () => new items.ItemReader().feed(spoil(head)),
    () => { const reader = new items.ItemReader(); reader.feed(head.slice(0, 1)); return reader.feed(bytes.concat(head.slice(1), Uint8Array.of(2 + random(2)), noise(random(64)))); },
    () => opener().feed({ kind: 1 + random(3), payload: noise(random(400)) }),
    () => opener().feed({ kind: good.kind, payload: spoil(raw(good.payload)) }),
    () => keyring.verifySealingKeys(String.fromCharCode(...spoil(bytes.utf8(list))), { nodeId, now }),
    () => eventsOf({ data: text(noise(random(300))), size: 1 + random(40) }),
  ];
  for (let round = 0; round < rounds; round++) {
    const { error } = await outcome(kinds[round % kinds.length]);
    ended[error] = (ended[error] ?? 0) + 1;
  }
  return ended;
}

/** SealedRig, as a page would use it. asked: several, one after the other. */
export async function ask({ baseUrl, nodeId, asked, now }) {
  const one = new rig.SealedRig({ baseUrl, nodeId, ...(now === undefined ? {} : { now: () => now }) });
  const done = [];
  for (const { abortAfter, bound, ...rest } of asked) {
    const stopping = new AbortController();
    const seen = [];
    const partial = { pieces: seen };
    const proof = bound ? await proofs.ProofKey.create() : undefined;
    if (proof) partial.thumbprint = await proof.thumbprint();
    const work = async () => {
      const { stream, ...head } = await one.fetch({ ...rest, proof, signal: stopping.signal });
      partial.head = head;
      for await (const piece of stream) {
        seen.push(text(piece));
        if (seen.length === abortAfter) stopping.abort();
      }
      return head;
    };
    try {
      done.push({ ...partial, ...(await outcome(work, partial)) });
    } catch (error) {
      done.push({ ...partial, fault: error.name });
    }
  }
  return done;
}

export const nodeIdOf = (key) => ids.idOf("n1", raw(key));

export const whyNotSealed = () => support.whyNotSealed();

export async function proofOf(asked) {
  const key = await proofs.ProofKey.create();
  return { proof: await key.prove({ ...asked, body: raw(asked.body) }), thumbprint: await key.thumbprint() };
}
