use std::fmt::Write as _;

use mercurious_runtime::Environment;

/// Names at least this alike are taken for misspellings.
const ALIKE: f64 = 0.93;

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
    let mut text = String::from(
        "| variable | default | what | also taken, with a warning |\n|---|---|---|---|\n",
    );
    for Variable { name, aliases, default, about } in VARIABLES {
        let code = |text: &&str| format!("`{text}`");
        let aliases: Vec<String> = aliases.iter().map(code).collect();
        let default = if default.is_empty() { String::new() } else { code(default) };
        // Writing to a string does not fail.
        let _ = writeln!(text, "| `{name}` | {default} | {about} | {} |", aliases.join(", "));
    }
    text
}

/// The page of settings.
pub fn page() -> String {
    format!(
        "# Settings of api-gateway\n\n\
         Variables of the environment. Two names of one setting that say different things are a fault; all faults are\n\
         reported together. The broker's settings (`KAFKA_…`) are those of every service: see\n\
         [api-gateway.md](api-gateway.md).\n\n{}",
        reference()
    )
}

/// Reads settings by the table.
pub(super) struct Reader<'a>(&'a mut Environment);

impl<'a> Reader<'a> {
    pub(super) fn new(environment: &'a mut Environment) -> Self {
        for warning in misspelt(environment) {
            environment.warn(warning);
        }
        Self(environment)
    }

    /// Keeps a fault; there is no value then.
    pub(super) fn fault<T>(&mut self, name: &str, what: &str) -> Option<T> {
        self.0.fault(format!("{name} {what}"));
        None
    }

    /// What is set.
    pub(super) fn set(&mut self, name: &'static str) -> Option<String> {
        self.0.text(name, variable_of(name).aliases)
    }

    /// What is set, or the default.
    pub(super) fn text(&mut self, name: &'static str) -> String {
        self.set(name).unwrap_or_else(|| variable_of(name).default.to_owned())
    }

    /// What `parse` makes of it.
    pub(super) fn parse<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
        expected: &str,
    ) -> Option<T> {
        let text = self.text(name);
        let value = parse(&text);
        if value.is_none() {
            let shown: String = text.chars().take(40).collect();
            self.0.fault(format!("{name} is {shown:?}, not {expected}"));
        }
        value
    }
}

fn variable_of(name: &'static str) -> Variable {
    let known = VARIABLES.iter().find(|variable| variable.name == name);
    known.copied().unwrap_or(variable(name, &[], "", ""))
}

/// Variables that look like misspelt ones.
fn misspelt(environment: &Environment) -> Vec<String> {
    let known = || VARIABLES.iter().flat_map(|one| std::iter::once(&one.name).chain(one.aliases));
    let near = |name: &str| {
        if known().any(|known| *known == name) {
            return None;
        }
        let nearest = VARIABLES
            .iter()
            .filter(|variable| variable.name.len().abs_diff(name.len()) <= 2)
            .map(|variable| (strsim::jaro_winkler(variable.name, name), variable.name))
            .filter(|(likeness, _)| *likeness >= ALIKE)
            .max_by(|one, other| one.0.total_cmp(&other.0))?;
        Some(format!("{name} is not known; perhaps {}?", nearest.1))
    };
    environment.names().filter_map(near).collect()
}
