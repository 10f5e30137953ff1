// Takes part in Tongtu from Node.js: writes events into a member's outbox and reads its inbox. See README.md.
import { EventEmitter, on } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { CloudEvent, Kafka as binding } from "cloudevents";
import { Kafka, logLevel } from "kafkajs";

const PROPOSALS = Number(process.env.PROPOSALS ?? 1); // after so many it ends
const WAIT_SECONDS = Number(process.env.WAIT_SECONDS ?? 60); // or when nothing has come for so long
const RECEIPT = "tongtu.receipt.v1", REJECTION = "tongtu.rejection.v1", PROPOSAL = "tongtu.proposal.v1";

/** The lines for Kafka clients from what `tongtu members add` hands over; the file may hold all of it. */
function settings(file) {
  const lines = readFileSync(file, "utf8").split(/\r?\n/).filter((line) => /^[a-z.]+=/.test(line));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]));
}

/** One line for a message, and one for each thing that its reader has to look at. */
function show(type, data) {
  if (type === RECEIPT) {
    const { kind, id, version } = data.record;
    console.log(`${data.outcome.padEnd(11)} ${data.event_id ?? "-"}: ${kind} ${id}, version ${version}`);
    showProblems(data.warnings);
  } else if (type === REJECTION) {
    console.log(`rejected    ${data.event_id}: ${data.title}`);
    showProblems(data.errors);
  } else if (type === PROPOSAL) {
    const { risk, score } = data;
    const loss = risk.status === "assessed" ? `chance of a loss ${Math.round(100 * risk.p_loss)} %` : "risk not assessed";
    console.log(`proposal    ${data.match_id} for ${data.own.id}: score ${Math.round(100 * score)} %, ${loss}`);
    console.log(`            ${(data.technology ?? data.demand).title}`);
    for (const { verdict, wording } of data.checks) {
      if (verdict === "unmet" && wording) console.log(`            unmet: ${wording.zh} ${wording.en}`);
    }
  } else {
    // There are more types, and there will be others: what you do not know is no error.
    console.log(`${type} ${JSON.stringify(data).slice(0, 100)}`);
  }
}

/** Which field, and what to do. */
function showProblems(problems) {
  for (const { pointer, message } of problems) console.log(`            ${pointer}: ${message}`);
}

/** Sends each event and waits for its answer; then reads on until there were enough proposals. */
async function exchange(login, paths) {
  const own = login["group.id"].replace(/\.[^.]*$/, ""); // "member.<id>": the group and both topics begin so
  const kafka = new Kafka({
    brokers: login["bootstrap.servers"].split(","),
    ssl: login["security.protocol"] === "SASL_SSL" && { ca: login["ssl.ca.pem"]?.replaceAll("\\n", "\n") },
    sasl: { mechanism: "scram-sha-512", username: login["sasl.username"], password: login["sasl.password"] },
    logLevel: logLevel.NOTHING, // every error that ends something is shown below
  });
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 });
  const consumer = kafka.consumer({ groupId: login["group.id"], readUncommitted: false });
  const inbox = new EventEmitter();
  const letters = on(inbox, "letter");
  consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || inbox.emit("error", payload.error));
  /** The next message of the inbox, once it is handled; nothing when none has come for WAIT_SECONDS. */
  const next = async () =>
    Promise.race([letters.next().then(({ value }) => value[0]), pause(WAIT_SECONDS * 1000, undefined, { ref: false })]);

  await Promise.all([producer.connect(), consumer.connect()]);
  try {
    await consumer.subscribe({ topic: `${own}.inbox`, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachMessage: async ({ topic, partition, message }) => {
        const headers = Object.fromEntries(Object.entries(message.headers).map(([name, text]) => [name, `${text}`]));
        const { type, data } = binding.toEvent({ ...message, key: `${message.key}`, headers });
        show(type, data); // your system does its work here; a repetition must do no harm,
        const following = (BigInt(message.offset) + 1n).toString(); // because only now the message counts as read
        await consumer.commitOffsets([{ topic, partition, offset: following }]);
        inbox.emit("letter", { type, data });
      },
    });

    let proposals = 0;
    for (const path of paths) {
      const given = JSON.parse(readFileSync(path, "utf8"));
      const event = new CloudEvent({ source: `/members/${own.split(".").at(-1)}`, ...given });
      // Returns once the event is in the log on all replicas; if anything fails, send it again under the same id.
      await producer.send({ topic: `${own}.outbox`, acks: -1, messages: [binding.structured(event)] });
      console.log(`sent        ${event.id} to ${own}.outbox`);
      for (let answered = false; !answered; ) {
        const letter = await next();
        if (!letter) throw new Error(`no answer to ${event.id} in ${WAIT_SECONDS} s: send it again, under the same id`);
        if (letter.type === PROPOSAL) proposals += 1;
        answered = [RECEIPT, REJECTION].includes(letter.type) && letter.data.event_id === event.id;
      }
    }
    while (proposals < PROPOSALS) {
      const letter = await next();
      if (!letter) break;
      if (letter.type === PROPOSAL) proposals += 1;
    }
  } finally {
    await Promise.all([consumer.disconnect(), producer.disconnect()]);
  }
}

const login = settings(process.argv[2]);
try {
  await exchange(login, process.argv.slice(3));
} catch (problem) {
  const said = problem.name.startsWith("KafkaJS") ? `Kafka tells ${login["sasl.username"]}: ` : "";
  console.error(said + problem.message);
  process.exitCode = 1;
}
