// The collectors' way in over HTTP: it authenticates, bounds the body, hands the events to monitoring.ingest_cache_metrics and
// says what became of them. All counting is the database's.
//
// POST {"metrics": [event, ...]} with the project's service_role or sb_secret_ key as `apikey` or bearer token.
// 200 {success, metrics_stored, duplicates, rejected: [{index, id, reason}], windows}; 400, 401, 405, 413, 422 and 503 with
// {success: false, error}. Events without an id cannot be recognised when they are sent again, but for those sent under the
// same Idempotency-Key header.
import { createClient } from "@supabase/supabase-js";

const LARGEST_BODY = 1_048_576;
const MOST_EVENTS = 10_000;
const DATABASE_MS = 15_000;
const RETRY_AFTER_SECONDS = "5";
const HEADERS = {
  "Access-Control-Allow-Origin": "*",
  "Access-Control-Allow-Headers": "authorization, apikey, content-type, idempotency-key, x-client-info",
  "Access-Control-Allow-Methods": "POST, OPTIONS",
};

type Event = Record<string, unknown>;
type Answer = { accepted: number; duplicates: number; rejected: { reason: string }[]; windows: number };

class Refusal extends Error {
  constructor(readonly status: number, reason: string, readonly detail: Record<string, unknown> = {}) {
    super(reason);
  }
}

function keys(): string[] {
  const found = [Deno.env.get("SUPABASE_SERVICE_ROLE_KEY") ?? ""];
  try {
    found.push(...Object.values(JSON.parse(Deno.env.get("SUPABASE_SECRET_KEYS") ?? "{}")).map(String));
  } catch {
    // a project without the newer keys
  }
  return found.filter((key) => key.length > 0);
}

const digest = async (text: string) => new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));

/** The project's key that the request came with; the same is used on to the database, for another may have been switched off. */
async function authenticate(request: Request): Promise<string> {
  const bearer = (request.headers.get("authorization") ?? "").replace(/^Bearer\s+/i, "");
  const given = [bearer, request.headers.get("apikey") ?? ""].filter((key) => key.length > 0);
  const known = keys();
  const own = await Promise.all(known.map(digest));
  let found = "";
  for (const hash of await Promise.all(given.map(digest))) {
    own.forEach((ownHash, k) => {
      let difference = 0; // every byte is looked at, so that time tells nothing
      hash.forEach((byte, i) => difference |= byte ^ ownHash[i]);
      if (difference === 0) found = known[k];
    });
  }
  if (!found) {
    throw new Refusal(401, "The service_role or an sb_secret_ key of this project is needed, as apikey or bearer token.");
  }
  return found;
}

async function bounded(request: Request): Promise<string> {
  const tooLarge = new Refusal(413, `The body is larger than ${LARGEST_BODY} bytes: send smaller batches.`);
  if (Number(request.headers.get("content-length") ?? 0) > LARGEST_BODY) throw tooLarge;
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of request.body ?? []) {
    size += piece.byteLength;
    if (size > LARGEST_BODY) throw tooLarge; // a chunked body names no length
    pieces.push(piece);
  }
  const whole = new Uint8Array(size);
  pieces.reduce((at, piece) => (whole.set(piece, at), at + piece.byteLength), 0);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(whole);
  } catch {
    throw new Refusal(400, "The body is not UTF-8.");
  }
}

function events(body: string): Event[] {
  let told: unknown;
  try {
    told = JSON.parse(body);
  } catch {
    throw new Refusal(400, "The body is not JSON.");
  }
  const metrics = (told as { metrics?: unknown } | null)?.metrics;
  if (!Array.isArray(metrics)) throw new Refusal(422, 'The body has to be {"metrics": [event, ...]}.');
  if (metrics.length > MOST_EVENTS) {
    throw new Refusal(413, `There are more than ${MOST_EVENTS} events: send smaller batches.`);
  }
  return metrics;
}

/** Ids for events without one that are the same each time the same request is made. */
async function named(metrics: Event[], key: string | null): Promise<Event[]> {
  if (!key) return metrics;
  return await Promise.all(metrics.map(async (event, i) => {
    if (typeof event !== "object" || event === null || Array.isArray(event) || event.id) return event;
    const bytes = (await digest(`${key}:${i}`)).slice(0, 16);
    bytes[6] = (bytes[6] & 0x0f) | 0x80; // version 8, RFC 9562
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return { ...event, id: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5") };
  }));
}

async function ingest(metrics: Event[], key: string): Promise<Answer> {
  const client = createClient(Deno.env.get("SUPABASE_URL") ?? "", key, {
    auth: { autoRefreshToken: false, persistSession: false },
  });
  const { data, error } = await client.schema("monitoring")
    .rpc("ingest_cache_metrics", { metrics }).abortSignal(AbortSignal.timeout(DATABASE_MS));
  if (!error) return data as Answer;
  console.error("ingest_cache_metrics failed", error.code, error.message);
  if (/^22/.test(error.code ?? "")) throw new Refusal(422, `The database refuses the batch: ${error.message}.`);
  const mend = error.code === "PGRST106"
    ? "add monitoring to the project's exposed schemas"
    : ["PGRST202", "42883", "3F000"].includes(error.code)
    ? "apply the migrations"
    : error.code === "42501"
    ? "grant service_role the schema monitoring"
    : "send the batch again";
  throw new Refusal(503, `The database did not take the batch (${error.code || "no answer"}): ${mend}.`);
}

async function answer(request: Request): Promise<Record<string, unknown>> {
  if (request.method !== "POST") throw new Refusal(405, "Only POST is served here.");
  const key = await authenticate(request);
  const metrics = await named(events(await bounded(request)), request.headers.get("idempotency-key"));
  const { accepted, duplicates, rejected, windows } = await ingest(metrics, key);
  const told = { metrics_stored: accepted, duplicates, rejected, windows };
  if (metrics.length > 0 && rejected.length === metrics.length) {
    throw new Refusal(422, `None of the events can be stored; the first: ${rejected[0].reason}.`, told);
  }
  return { success: true, ...told };
}

Deno.serve(async (request) => {
  if (request.method === "OPTIONS") return new Response(null, { status: 204, headers: HEADERS });
  try {
    return Response.json(await answer(request), { headers: HEADERS });
  } catch (error) {
    const refusal = error instanceof Refusal ? error : new Refusal(503, "The aggregator failed: send the batch again.");
    if (!(error instanceof Refusal)) console.error("unexpected", error instanceof Error ? error.name : typeof error);
    const headers: Record<string, string> = { ...HEADERS };
    if (refusal.status === 503) headers["Retry-After"] = RETRY_AFTER_SECONDS;
    const told = { success: false, error: refusal.message, ...refusal.detail };
    return Response.json(told, { status: refusal.status, headers });
  }
});
