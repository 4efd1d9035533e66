use std::fmt::Write as _;

/// One setting.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its canonical name.
    pub name: &'static str,
    /// Names that are taken with a warning.
    pub aliases: &'static [&'static str],
    /// What holds when it is not set.
    pub default: &'static str,
    /// What it says.
    pub about: &'static str,
}

const fn variable(
    name: &'static str,
    aliases: &'static [&'static str],
    default: &'static str,
    about: &'static str,
) -> Variable {
    Variable { name, aliases, default, about }
}

/// Every setting of the service itself; those of the broker are `foundation/messaging`'s.
pub const VARIABLES: &[Variable] = &[
    variable("PORT", &["HTTP_PORT"], "3000", "the port to listen on"),
    variable("LISTEN_ADDRESS", &[], "0.0.0.0", "the address to listen on"),
    variable(
        "STORE_URL",
        &["MONGODB_URI", "MONGO_URI", "MONGO_URL", "DATABASE_URL"],
        "",
        "where jobs are kept: `sqlite:PATH`, `mongodb://…`, `mongodb+srv://…`, or `memory`, which forgets; required",
    ),
    variable(
        "REDIS_URL",
        &["REDIS_URI"],
        "",
        "`redis://…` or `rediss://…`: replicas share rate limits and hear of events at once",
    ),
    variable("CLIENT_FRONT_URL", &[], "", "a site whose pages may ask (CORS)"),
    variable("CLIENT_PLANNER_URL", &[], "", "a site whose pages may ask (CORS)"),
    variable("CLIENT_DEV_URL", &[], "", "a site whose pages may ask (CORS)"),
    variable(
        "RATE_LIMIT_PER_SECOND",
        &[],
        "100",
        "requests of one client in a second; 0 is no limit",
    ),
    variable("RATE_LIMIT_BURST", &[], "200", "requests of one client at once"),
    variable(
        "TRUSTED_PROXIES",
        &[],
        "0",
        "how many proxies stand before the service: so many entries from the end of `X-Forwarded-For` is the client",
    ),
    variable("JOB_DEADLINE", &[], "5m", "a job that is not finished by then has failed"),
    variable("JOB_RETENTION", &[], "168h", "how long a finished job and its trip are kept"),
    variable("IDEMPOTENCY_RETENTION", &[], "24h", "how long an Idempotency-Key is kept"),
    variable("MAX_STREAMS", &[], "10000", "event streams that may be open"),
    variable("MAX_CONNECTIONS", &[], "12000", "connections that may be open"),
    variable("DRAIN_TIME", &[], "20s", "how long requests may go on after SIGTERM"),
    variable("LOG_LEVEL", &["RUST_LOG"], "info", "what is logged, as `info` or `debug,hyper=warn`"),
    variable("LOG_FORMAT", &[], "text", "`text` or `json`"),
    variable("COMMIT", &["GIT_COMMIT", "COMMIT_SHA"], "", "the commit that `GET /` names"),
];

/// The settings as a table in Markdown.
pub fn reference() -> String {
    let mut text = String::from("| variable | default | what | also taken, with a warning |\n|---|---|---|---|\n");
    for Variable { name, aliases, default, about } in VARIABLES {
        let code = |text: &&str| format!("`{text}`");
        let aliases: Vec<String> = aliases.iter().map(code).collect();
        let default = if default.is_empty() { String::new() } else { code(default) };
        // Writing to a string does not fail.
        let _ = writeln!(text, "| `{name}` | {default} | {about} | {} |", aliases.join(", "));
    }
    text
}
