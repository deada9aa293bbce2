// Listens as a web page of the project would, with supabase-js as it comes, and says a line of JSON for whatever it hears.
import { createClient } from "@supabase/supabase-js";

const client = createClient(Deno.env.get("SUPABASE_URL") ?? "", Deno.env.get("SUPABASE_SECRET_KEY") ?? "", {
  auth: { autoRefreshToken: false, persistSession: false },
});
const say = (heard: Record<string, unknown>) => console.log(JSON.stringify(heard));

const channel = client.channel("cache-metrics", { config: { broadcast: { self: true } } })
  .on("broadcast", { event: "cache-update" }, ({ payload }) => say({ broadcast: payload }))
  .on("broadcast", { event: "échó" }, ({ payload }) => say({ own: payload }))
  .subscribe((status) => {
    say({ status });
    if (status === "SUBSCRIBED") channel.send({ type: "broadcast", event: "échó", payload: { text: "ü" } });
  });

client.channel("changes")
  .on("postgres_changes", { event: "*", schema: "monitoring", table: "cache_metrics_1min" }, (change) => {
    say({ change: change.eventType, hits: (change.new as { hits: number }).hits });
  })
  .on("system", {}, ({ message }: { message: string }) => say({ system: message }))
  .subscribe((changes) => say({ changes }));

const { error } = await client.schema("monitoring").rpc("auditor_canary_window", { cache: "none" });
say({ rpc: error?.code ?? "answered" });
