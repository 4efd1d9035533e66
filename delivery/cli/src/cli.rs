use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use mercurious_core::duration::Span;

#[cfg(feature = "home")]
use crate::example_server::ExampleServerArgs;
use crate::{
    cluster_args::{ClusterArgs, EngineArgs},
    commands::manifests::ManifestsArgs,
    failure::Exit,
    hooks_args::HooksArgs,
};

/// Keeps what runs in step with what was built: detect, decide, roll out, verify, roll back, hold.
#[derive(Parser)]
#[command(name = "mercurious", version, after_help = Exit::all_in_words())]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Args, Clone)]
pub(crate) struct Globals {
    /// Where everything is kept [default: mercurious in the user's data directory]
    #[arg(long, global = true, env = "MERCURIOUS_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// How facts are printed
    #[arg(long, short, global = true, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,
    /// Say only what went wrong
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// What is logged, as `info` or `mercurious=debug,warn`
    #[arg(long, global = true, env = "MERCURIOUS_LOG", value_name = "FILTER")]
    pub(crate) log: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// For people
    Text,
    /// For programs
    Json,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    #[cfg(feature = "home")]
    /// Run everything on this machine: registry, proxy, workloads, the loop
    Up(UpArgs),
    #[cfg(feature = "home")]
    /// Show the whole loop at work, in a temporary directory, with real processes and load
    Demo(DemoArgs),
    /// Make an image from a program, with no container engine, and push it
    #[command(
        after_help = "Examples:\n  mercurious publish --binary target/release/app --repository ghcr.io/team/app --commit \"$(git rev-parse HEAD)\"\n  mercurious publish --binary target/release/app --layout image/"
    )]
    Publish(PublishArgs),
    /// What runs, and what is being done about it
    #[command(
        after_help = "Examples:\n  mercurious status -w                 go on showing\n  mercurious status api -o json        the whole object\n  mercurious status -w -o json         one object a line, as they change"
    )]
    Status {
        /// Only this one
        name: Option<String>,
        /// Go on showing
        #[arg(long, short)]
        watch: bool,
    },
    /// Which image of a repository would be chosen, and why not the others; needs no set-up
    #[command(
        after_help = "Examples:\n  mercurious images ghcr.io/team/app                        the newest by build time\n  mercurious images ghcr.io/team/app --semver='>=1.0.0'     the highest version\n  mercurious images 127.0.0.1:5000/team/app -o json         for a program"
    )]
    Images(ImagesArgs),
    /// Look at the registry now
    Scan { name: String },
    /// Look at every registry now and wait until every rollout has ended; in a cluster: one pass, as a CronJob makes it
    Sync(SyncArgs),
    /// Steer a cluster's workloads for as long as it runs
    Controller(ControllerArgs),
    /// Deploy a release now: the newest, or the one named
    Deploy {
        name: String,
        /// A tag, a commit, a digest or a reference
        #[arg(long, value_name = "RELEASE")]
        to: Option<String>,
    },
    /// Replace all replicas by new ones of the same release
    #[command(
        override_usage = "mercurious restart [OPTIONS] <NAME|--all>",
        after_help = "Examples:\n  mercurious restart api        this one\n  mercurious restart --all      every one, one after the other"
    )]
    Restart {
        #[arg(required_unless_present = "all")]
        name: Option<String>,
        /// Every workload, one after the other
        #[arg(long, conflicts_with = "name")]
        all: bool,
        /// With --all: how long to wait for each, as 90s or 15m
        #[arg(long, value_name = "TIME", default_value = "15m")]
        timeout: Span,
    },
    /// Go back, and hold what was rolled back; with no name: list what each could go back to
    #[command(
        after_help = "Examples:\n  mercurious rollback                       what each could go back to\n  mercurious rollback api --list            what this one could go back to\n  mercurious rollback api                   to the last good release\n  mercurious rollback api --to sha-0a1b2c3  to this one"
    )]
    Rollback {
        name: Option<String>,
        /// Only list what it could go back to
        #[arg(long, conflicts_with = "to")]
        list: bool,
        /// A tag, a commit, a digest or a reference
        #[arg(long, value_name = "RELEASE", requires = "name")]
        to: Option<String>,
    },
    /// Hold a release: it is not deployed by itself
    Hold {
        name: String,
        /// A tag, a commit, a digest or a reference [default: the candidate]
        release: Option<String>,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
    /// End a suspension; where there is none, lift all holds, or the one on the release named
    Resume {
        name: String,
        /// Only the hold on this release
        release: Option<String>,
    },
    /// Let nothing move by itself
    Suspend { name: String },
    /// Rollouts that ended: what, when, who, why
    History { name: String },
    /// Why it did, or did not, deploy
    Explain { name: String },
    /// The six boxes of the guide's checklist, ticked from evidence
    Verify { name: String },
    /// Check each known cause of trouble, with its remedy; also where nothing runs
    Doctor(DoctorArgs),
    /// What the replicas print, those that crashed or were replaced included
    #[command(
        after_help = "Examples:\n  mercurious logs api -n 500     the newest 500 lines\n  mercurious logs api -f         and go on with those to come"
    )]
    Logs {
        name: String,
        /// Go on with the lines to come
        #[arg(long, short)]
        follow: bool,
        /// So many lines
        #[arg(long, short = 'n', default_value_t = 100)]
        lines: usize,
    },
    /// Try a policy on tags from standard input, one a line
    #[command(
        after_help = "Examples:\n  git tag | mercurious policy --semver='>=1.0.0 <2.0.0'\n  mercurious policy --filter='^main-(?P<ts>[0-9]+)$' --extract='$ts' --numerical=asc < tags"
    )]
    Policy(PolicyArgs),
    /// Print what installs the program on Kubernetes
    Manifests(ManifestsArgs),
    /// Print the completions of a shell
    #[command(
        after_help = "Examples:\n  mercurious completions bash > ~/.local/share/bash-completion/completions/mercurious\n  mercurious completions zsh > \"${fpath[1]}/_mercurious\"\n  mercurious completions fish > ~/.config/fish/completions/mercurious.fish"
    )]
    Completions { shell: clap_complete::Shell },
    #[cfg(feature = "home")]
    /// A small server for the demo and for tests
    #[command(hide = true, disable_version_flag = true)]
    ExampleServer(ExampleServerArgs),
}

#[derive(Args)]
pub(crate) struct SyncArgs {
    /// Only these auto-deploys
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    /// How long to wait, as 90s or 15m; what is waited for goes on
    #[arg(long, value_name = "TIME", default_value = "14m")]
    pub(crate) timeout: Span,
}

#[derive(Args)]
pub(crate) struct ControllerArgs {
    #[command(flatten)]
    pub(crate) engine: EngineArgs,
    /// Keep the image objects of this namespace although no auto-deploy refers to them; may be repeated
    #[arg(long = "image-namespace", value_name = "NAME")]
    pub(crate) image_namespaces: Vec<String>,
    /// Where /health, /ready and /metrics are answered
    #[arg(long, default_value = "0.0.0.0:8080", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    #[command(flatten)]
    pub(crate) hooks: HooksArgs,
}

#[cfg(feature = "home")]
#[derive(Args)]
pub(crate) struct UpArgs {
    /// Manifests: files, directories, or `-` [default: none, only the registry runs]
    #[arg(long = "filename", short = 'f', value_name = "PATH")]
    pub(crate) filenames: Vec<PathBuf>,
    /// Where the embedded registry listens
    #[arg(long, default_value = "127.0.0.1:5000", value_name = "ADDRESS")]
    pub(crate) registry_listen: SocketAddr,
    /// Where Ingresses listen
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// Where the API listens, beside its socket in the data directory
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) api_listen: Option<SocketAddr>,
    /// Run images as plain processes even where bubblewrap is installed
    #[arg(long)]
    pub(crate) no_sandbox: bool,
    #[command(flatten)]
    pub(crate) hooks: HooksArgs,
}

#[derive(Args)]
pub(crate) struct DoctorArgs {
    /// Manifests to check: files, directories, or `-`; nothing need run
    #[arg(long = "filename", short = 'f', value_name = "PATH")]
    pub(crate) filenames: Vec<PathBuf>,
    #[cfg(feature = "home")]
    /// Where the embedded registry is to listen
    #[arg(long, default_value = "127.0.0.1:5000", value_name = "ADDRESS")]
    pub(crate) registry_listen: SocketAddr,
    #[cfg(feature = "home")]
    /// Where Ingresses are to listen
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
}

#[cfg(feature = "home")]
#[derive(Args)]
pub(crate) struct DemoArgs {
    /// Run images as plain processes even where bubblewrap is installed
    #[arg(long)]
    pub(crate) no_sandbox: bool,
}

#[derive(Args)]
pub(crate) struct PublishArgs {
    /// The program: a Linux ELF executable
    #[arg(long, value_name = "FILE")]
    pub(crate) binary: PathBuf,
    /// Where to push it, as ghcr.io/team/app
    #[arg(long, value_name = "REF", required_unless_present = "layout", conflicts_with = "layout")]
    pub(crate) repository: Option<String>,
    /// Write an OCI image layout into this directory instead of pushing
    #[arg(long, value_name = "DIR")]
    pub(crate) layout: Option<PathBuf>,
    /// The revision it was built from: adds the tag sha-<commit>
    #[arg(long, value_name = "SHA")]
    pub(crate) commit: Option<String>,
    /// An image to build upon
    #[arg(long, value_name = "REF")]
    pub(crate) base: Option<String>,
    /// More tags [default: latest]
    #[arg(long = "tag", value_name = "TAG")]
    pub(crate) tags: Vec<String>,
    /// The URL of the source
    #[arg(long, value_name = "URL")]
    pub(crate) source: Option<String>,
    /// When it was built [default: now; give it for the same bytes again]
    #[arg(long, value_name = "TIME", env = "SOURCE_DATE_EPOCH")]
    pub(crate) created: Option<String>,
    /// A port that it listens on
    #[arg(long, value_name = "PORT")]
    pub(crate) expose: Vec<u16>,
    /// A variable, as NAME=VALUE
    #[arg(long = "env", value_name = "NAME=VALUE")]
    pub(crate) variables: Vec<String>,
    /// An argument of the program
    #[arg(long = "arg", value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) arguments: Vec<String>,
}

#[derive(Args)]
#[group(id = "order", multiple = false)]
pub(crate) struct OrderArgs {
    /// The highest version in a range, as '>=1.0.0 <2.0.0'
    #[arg(long, value_name = "RANGE", group = "order")]
    pub(crate) semver: Option<String>,
    /// The largest number (asc) or the smallest (desc)
    #[arg(long, value_name = "asc|desc", group = "order")]
    pub(crate) numerical: Option<String>,
    /// The last by bytes (asc) or the first (desc)
    #[arg(long, value_name = "asc|desc", group = "order")]
    pub(crate) alphabetical: Option<String>,
}

#[derive(Args)]
pub(crate) struct PolicyArgs {
    #[command(flatten)]
    pub(crate) order: OrderArgs,
    /// Only tags that match this Go regular expression take part
    #[arg(long, value_name = "PATTERN")]
    pub(crate) filter: Option<String>,
    /// What is ordered, as '$ts'
    #[arg(long, value_name = "TEMPLATE", requires = "filter")]
    pub(crate) extract: Option<String>,
}

#[derive(Args)]
pub(crate) struct ImagesArgs {
    /// The repository, as ghcr.io/team/app
    pub(crate) repository: String,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    /// Plain HTTP is allowed
    #[arg(long)]
    pub(crate) insecure: bool,
}
