use oci_spec::image::ImageConfiguration;

/// How an image wants to be run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// More arguments, or the program where there is no entrypoint.
    pub cmd: Vec<String>,
    /// Variables, in order.
    pub env: Vec<(String, String)>,
    /// Where it starts; `/` where the image does not say.
    pub workdir: String,
    /// `uid[:gid]` or a name.
    pub user: Option<String>,
    /// The signal that asks it to stop, as `SIGTERM`.
    pub stop_signal: Option<String>,
    /// Whether `mercurious publish` made it: one program that needs nothing around it.
    pub published_here: bool,
    /// Ports that it says it listens on, as `8080/tcp`.
    pub exposed_ports: Vec<String>,
}

/// Why an image configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("it is not a configuration of the OCI image specification")]
pub struct ConfigError(#[source] oci_spec::OciSpecError);

impl ImageConfig {
    /// Reads the configuration blob.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigError> {
        let image = ImageConfiguration::from_reader(bytes).map_err(ConfigError)?;
        let newest = image.history().iter().flatten().next_back();
        let published_here =
            newest.is_some_and(|it| it.created_by().as_deref() == Some("mercurious publish"));
        let Some(config) = image.config() else {
            return Ok(Self { workdir: "/".to_owned(), published_here, ..Self::default() });
        };
        let pair = |text: &String| {
            let (name, value) = text.split_once('=').unwrap_or((text, ""));
            (name.to_owned(), value.to_owned())
        };
        Ok(Self {
            entrypoint: config.entrypoint().clone().unwrap_or_default(),
            cmd: config.cmd().clone().unwrap_or_default(),
            env: config.env().iter().flatten().map(pair).collect(),
            workdir: config
                .working_dir()
                .clone()
                .filter(|directory| directory.starts_with('/'))
                .unwrap_or_else(|| "/".to_owned()),
            user: config.user().clone().filter(|user| !user.is_empty()),
            stop_signal: config.stop_signal().clone(),
            published_here,
            exposed_ports: config.exposed_ports().clone().unwrap_or_default(),
        })
    }
}
