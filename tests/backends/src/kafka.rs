//! Apache Kafka: one broker, with SCRAM and PLAIN, with and without TLS.

use std::{
    fs,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use tempfile::TempDir;

use crate::{Process, Unavailable, fetched, ports};

/// Who is known to the broker.
#[derive(Debug, Clone)]
pub struct User {
    /// The name.
    pub name: String,
    /// The password.
    pub password: String,
}

/// A broker. Dropping it ends it and removes what it stored.
#[derive(Debug)]
pub struct Kafka {
    directory: TempDir,
    jars: PathBuf,
    plain_port: u16,
    tls_port: u16,
    users: Vec<User>,
    process: Option<Process>,
}

/// How long a start may take; other tests may be at work beside, and wait for the same disk.
const START: Duration = Duration::from_mins(5);

impl Kafka {
    /// Starts a broker.
    pub fn start() -> Result<Self, Unavailable> {
        Ok(Self::try_start()?)
    }

    fn try_start() -> anyhow::Result<Self> {
        let jars = fetched::kafka_jars()?;
        let directory = TempDir::with_prefix("mercurious-kafka-")?;
        let [plain_port, tls_port, controller_port] = ports::free()?;
        let user = |name: &str| User { name: name.to_owned(), password: ports::password() };
        let names = ["admin", "app", "stranger", "api-gateway", "api-enrichment", "api-generation"];
        let users = names.map(user).into();
        let mut kafka = Self { directory, jars, plain_port, tls_port, users, process: None };
        kafka.certificates()?;
        kafka.configure(controller_port)?;
        kafka.format()?;
        kafka.start_again()?;
        Ok(kafka)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Where clients connect without TLS.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.plain_port)
    }

    /// Where clients connect with TLS.
    pub fn tls_address(&self) -> String {
        format!("localhost:{}", self.tls_port)
    }

    /// The certificate that clients must trust.
    pub fn ca_file(&self) -> PathBuf {
        self.path("ca.pem")
    }

    /// The user that may do everything.
    pub fn admin(&self) -> &User {
        &self.users[0]
    }

    /// The user of services.
    pub fn app(&self) -> &User {
        &self.users[1]
    }

    /// A user without any rights.
    pub fn stranger(&self) -> &User {
        &self.users[2]
    }

    /// The user of that service, or whoever else is called so. It may do what it is [allowed](Self::allow).
    pub fn user(&self, name: &str) -> anyhow::Result<&User> {
        let user = self.users.iter().find(|user| user.name == name);
        user.with_context(|| format!("no user {name}"))
    }

    /// Lets a user do `operation` with a resource, such as `read` with `--topic` and its name. Each call is one of
    /// Kafka's own tool `kafka-acls`.
    pub fn allow(
        &self,
        user: &str,
        operation: &str,
        kind: &str,
        resources: &[String],
    ) -> anyhow::Result<()> {
        let admin = self.admin();
        let client = format!(
            "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=SCRAM-SHA-512\n\
             sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
             username=\"{}\" password=\"{}\";\n",
            admin.name, admin.password
        );
        write_secret(&self.path("admin.properties"), &client)?;
        let mut command = Command::new(fetched::installed("java")?);
        command
            .arg("-XX:TieredStopAtLevel=1")
            .arg("-cp")
            .arg(format!("{}/*", fetched::kafka_tools()?.display()))
            .args(["org.apache.kafka.tools.AclCommand", "--bootstrap-server", &self.address()])
            .args(["--command-config", "admin.properties", "--add", "--operation", operation])
            .args(["--allow-principal", &format!("User:{user}")])
            .current_dir(self.directory.path());
        for resource in resources {
            command.args([kind, resource]);
        }
        let output = command.output().context("java is not installed")?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{user} was not allowed to {operation}: {said}");
        Ok(())
    }

    /// The broker's process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again on what it has stored.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        let java = fetched::installed("java")?;
        let arguments: Vec<String> = [
            "-Xms128m",
            "-Xmx256m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-cp",
            &format!("{}/*", self.jars.display()),
            "kafka.Kafka",
            "server.properties",
        ]
        .map(str::to_owned)
        .to_vec();
        let log = self.path("log");
        let mut process = Process::start(&java, &arguments, self.directory.path(), &log)?;
        let port = self.plain_port;
        process.wait_until(START, || TcpStream::connect(("127.0.0.1", port)).is_ok())?;
        self.process = Some(process);
        Ok(())
    }

    fn certificates(&self) -> anyhow::Result<()> {
        let ca_key = rcgen::KeyPair::generate()?;
        let mut ca = rcgen::CertificateParams::new(Vec::<String>::new())?;
        // Names of their own: a certificate that names its issuer as itself is taken for a self-signed one.
        ca.distinguished_name.push(rcgen::DnType::CommonName, "authority of a test");
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_certificate = ca.self_signed(&ca_key)?;
        let issuer = rcgen::Issuer::new(ca, ca_key);
        let key = rcgen::KeyPair::generate()?;
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let mut server = rcgen::CertificateParams::new(names)?;
        server.distinguished_name.push(rcgen::DnType::CommonName, "localhost");
        let certificate = server.signed_by(&key, &issuer)?;
        fs::write(self.ca_file(), ca_certificate.pem())?;
        let store = format!("{}{}{}", key.serialize_pem(), certificate.pem(), ca_certificate.pem());
        fs::write(self.path("server.pem"), store)?;
        Ok(())
    }

    fn configure(&self, controller: u16) -> anyhow::Result<()> {
        let (admin, app) = (self.admin(), self.app());
        let scram = |mechanism: &str, listener: &str| {
            format!(
                "listener.name.{listener}.{mechanism}.sasl.jaas.config=\
                 org.apache.kafka.common.security.scram.ScramLoginModule required \
                 username=\"{}\" password=\"{}\";\n",
                admin.name, admin.password
            )
        };
        let plain = |listener: &str| {
            let known = |user: &User| format!(" user_{}=\"{}\"", user.name, user.password);
            let known: String = self.users.iter().map(known).collect();
            format!(
                "listener.name.{listener}.plain.sasl.jaas.config=\
                 org.apache.kafka.common.security.plain.PlainLoginModule required \
                 username=\"{}\" password=\"{}\"{known};\n",
                admin.name, admin.password
            )
        };
        let mut properties = format!(
            "process.roles=broker,controller\n\
             node.id=1\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners=SASL_PLAINTEXT://127.0.0.1:{plain_port},SASL_SSL://127.0.0.1:{tls_port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=SASL_PLAINTEXT://127.0.0.1:{plain_port},SASL_SSL://localhost:{tls_port}\n\
             listener.security.protocol.map=SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT\n\
             controller.listener.names=CONTROLLER\n\
             inter.broker.listener.name=SASL_PLAINTEXT\n\
             sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN\n\
             sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512\n\
             authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
             super.users=User:{admin};User:{app};User:ANONYMOUS\n\
             ssl.keystore.type=PEM\n\
             ssl.keystore.location={store}\n\
             log.dirs={data}\n\
             auto.create.topics.enable=false\n\
             num.partitions=1\n\
             offsets.topic.num.partitions=3\n\
             offsets.topic.replication.factor=1\n\
             transaction.state.log.num.partitions=3\n\
             transaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\n\
             share.coordinator.state.topic.replication.factor=1\n\
             share.coordinator.state.topic.min.isr=1\n\
             log.cleaner.dedupe.buffer.size=4194304\n\
             group.initial.rebalance.delay.ms=0\n",
            plain_port = self.plain_port,
            tls_port = self.tls_port,
            admin = admin.name,
            app = app.name,
            store = self.path("server.pem").display(),
            data = self.path("data").display(),
        );
        for listener in ["sasl_plaintext", "sasl_ssl"] {
            properties += &scram("scram-sha-512", listener);
            properties += &scram("scram-sha-256", listener);
            properties += &plain(listener);
        }
        write_secret(&self.path("server.properties"), &properties)
    }

    /// Formats the storage, with the users in it. Their passwords go by a file of arguments.
    fn format(&self) -> anyhow::Result<()> {
        let mut arguments = format!(
            "-cp\n\"{}/*\"\n-Dorg.slf4j.simpleLogger.defaultLogLevel=warn\nkafka.tools.StorageTool\nformat\n-t\nAAAAAAAAAAAAAAAAAAAAAQ\n-c\nserver.properties\n",
            self.jars.display()
        );
        for user in &self.users {
            for mechanism in ["SCRAM-SHA-512", "SCRAM-SHA-256"] {
                arguments += &format!(
                    "--add-scram\n\"{mechanism}=[name={},password={}]\"\n",
                    user.name, user.password
                );
            }
        }
        write_secret(&self.path("format.arguments"), &arguments)?;
        let output = Command::new("java")
            .args(["-XX:TieredStopAtLevel=1", "@format.arguments"])
            .current_dir(self.directory.path())
            .output()
            .context("java is not installed")?;
        ensure!(
            output.status.success(),
            "the storage was not formatted: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }
}

/// Writes a file that only its owner reads.
pub(crate) fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let mut file =
        fs::File::options().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(())
}
