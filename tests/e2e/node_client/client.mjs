// Asks a rig everything through the stock openai package, and prints one JSON document of answers.
// stdin: {"base_url", "token", "model", "call": fields that make the model call the tool}
import { readFileSync } from "node:fs";
import OpenAI from "openai";

const { base_url, token, model, call } = JSON.parse(readFileSync(0, "utf8"));
const client = new OpenAI({ baseURL: base_url, apiKey: token, maxRetries: 0 });
const messages = [{ role: "user", content: "Hello!" }];
const asked = { model, messages, temperature: 0, max_tokens: 200 };
const parameters = {
  type: "object",
  properties: { now: { type: "boolean" } },
  required: ["now"],
};
const endless = { logit_bias: { 2: -100 } }; // 2 is the token that ends a reply
const tools = [{ type: "function", function: { name: "is_raining", parameters } }];

const models = [];
for await (const each of client.models.list()) models.push(each.id);

const whole = await client.chat.completions.create(asked);

let streamed = "";
let usage = null;
const stream = await client.chat.completions.create({
  ...asked,
  stream: true,
  stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}

const called = await client.chat.completions.create({ ...asked, ...call, tools });
const helper = client.chat.completions.stream({ ...asked, ...call, tools });
const called_streamed = await helper.finalMessage();
const [tool_call] = called.choices[0].message.tool_calls;
const after_tool = await client.chat.completions.create({
  ...asked,
  tools,
  messages: [
    ...messages,
    called.choices[0].message,
    { role: "tool", tool_call_id: tool_call.id, content: "Yes, it rains." },
  ],
});

const completion = await client.completions.create({ model, prompt: "Once", max_tokens: 5, ...endless });

const response = await client.responses.create({ model, input: "Hello!", temperature: 0 });
let response_streamed = "";
const events = await client.responses.create({
  model,
  input: "Hello!",
  temperature: 0,
  stream: true,
});
const event_types = [];
for await (const event of events) {
  event_types.push(event.type);
  if (event.type === "response.output_text.delta") response_streamed += event.delta;
}

const coded = await client.embeddings.create({ model, input: ["one", "two"] });
const plain = await client.embeddings.create({
  model,
  input: ["one", "two"],
  encoding_format: "float",
});

async function refusal(promise) {
  try {
    await promise;
    return null;
  } catch (error) {
    return { class: error.constructor.name, status: error.status, code: error.code, param: error.param };
  }
}
const refusals = {
  n: await refusal(client.chat.completions.create({ ...asked, n: 2 })),
  stored: await refusal(
    client.responses.create({ model, input: "Hello!", previous_response_id: "resp_1" }),
  ),
  token_ids: await refusal(client.embeddings.create({ model, input: [[1, 2, 3]] })),
  model: await refusal(client.chat.completions.create({ ...asked, model: "none" })),
};

const leaving = await client.chat.completions.create({ ...asked, ...endless, stream: true });
let chunks_before_leaving = 0;
for await (const _ of leaving) {
  chunks_before_leaving += 1;
  break; // closes the connection
}

process.stdout.write(
  JSON.stringify({
    models,
    whole: whole.choices[0].message.content,
    streamed,
    usage,
    tool_call,
    finish_reason: called.choices[0].finish_reason,
    called_streamed: called_streamed.tool_calls,
    after_tool: after_tool.choices[0].message.content,
    completion: completion.choices[0].text,
    response: response.output_text,
    response_streamed,
    event_types,
    coded: coded.data.map((each) => Array.from(each.embedding)),
    plain: plain.data.map((each) => each.embedding),
    refusals,
    chunks_before_leaving,
  }),
);
