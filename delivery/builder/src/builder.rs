mod documents;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use mercurious_core::image::{Commit, Platform};

use crate::{
    accounts::add_accounts,
    base::{Base, BaseError},
    built::{BuiltImage, BuiltLayer, Warning},
    certificates,
    elf::{Elf, ProgramError},
    layer::{Content, LayerError, Tree},
    libraries::{self, Gathered, LibraryError},
    system_root::SystemRoot,
};

/// Why an image could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No program was given.
    #[error("an image needs a program")]
    NoProgram,
    /// A program's name that cannot be a file name in the image.
    #[error(
        "`{name}` cannot be a program's name in an image: letters, digits, `.`, `_`, `-` and `+` are"
    )]
    Name {
        /// As it was given, or as the file is called.
        name: String,
    },
    /// The program itself.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// Its libraries.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The base image.
    #[error(transparent)]
    Base(#[from] BaseError),
    /// A certificate file that was asked for.
    #[error("`{}` holds no certificate authorities", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// What the system said; none if the file was read and has no certificate.
        source: Option<io::Error>,
    },
    /// The output directory.
    #[error("could not make the output directory `{}`", path.display())]
    Output {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Writing a layer.
    #[error(transparent)]
    Layer(#[from] LayerError),
    /// A document that JSON cannot express.
    #[error("could not write the image's configuration")]
    Json(#[source] serde_json::Error),
}

/// Where the program's shared libraries come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Libraries {
    /// Copied from this system into the image: the default without a base.
    Bundled,
    /// The base image has them: the default with a base, whose libraries would otherwise be overlaid.
    FromBase,
}

/// Collects what an image is made of. The order of calls does not matter; a later call wins.
#[derive(Clone, Debug)]
pub struct ImageBuilder {
    platform: Platform,
    binary: Option<PathBuf>,
    name: Option<String>,
    entrypoint: Option<Vec<String>>,
    arguments: Vec<String>,
    env: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    created: Option<Timestamp>,
    revision: Option<Commit>,
    source: Option<String>,
    version: Option<String>,
    ports: BTreeSet<u16>,
    user: Option<String>,
    certificates: Option<PathBuf>,
    libraries: Option<Libraries>,
    base: Option<Base>,
    system_root: PathBuf,
}

const DIRECTORY: &str = "/app";

impl ImageBuilder {
    /// An image for `platform`; the program must be built for it.
    pub fn new(platform: Platform) -> Self {
        Self {
            platform,
            binary: None,
            name: None,
            entrypoint: None,
            arguments: Vec::new(),
            env: BTreeMap::new(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            created: None,
            revision: None,
            source: None,
            version: None,
            ports: BTreeSet::new(),
            user: None,
            certificates: None,
            libraries: None,
            base: None,
            system_root: PathBuf::from("/"),
        }
    }

    /// The program: an ELF executable. Required.
    #[must_use]
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.binary = Some(path.into());
        self
    }

    /// What the program is called in the image, `/app/NAME`; otherwise as its file is.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What is started, in place of `/app/NAME`.
    #[must_use]
    pub fn entrypoint<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.entrypoint = Some(words.into_iter().map(Into::into).collect());
        self
    }

    /// The arguments that the program gets if whoever starts it gives none (`Cmd`).
    #[must_use]
    pub fn arguments<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.arguments = words.into_iter().map(Into::into).collect();
        self
    }

    /// A variable of the program's environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// A label of the configuration.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    /// An annotation of the manifest.
    #[must_use]
    pub fn annotation(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.annotations.insert(name.into(), value.into());
        self
    }

    /// When it was built: the commit's time makes the same image each time. Without it the image says nothing.
    #[must_use]
    pub fn created(mut self, at: Timestamp) -> Self {
        self.created = Some(at);
        self
    }

    /// The revision that it was built from.
    #[must_use]
    pub fn revision(mut self, commit: Commit) -> Self {
        self.revision = Some(commit);
        self
    }

    /// Where the source code is, as a URL.
    #[must_use]
    pub fn source(mut self, url: impl Into<String>) -> Self {
        self.source = Some(url.into());
        self
    }

    /// The version that people know it by.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// A TCP port that the program listens on.
    #[must_use]
    pub fn expose(mut self, port: u16) -> Self {
        self.ports.insert(port);
        self
    }

    /// Who runs the program, as `user`, `uid` or `uid:gid`; otherwise the base's, or 65532:65532.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// The certificate authorities, as a PEM file; otherwise the system's, and with a base the base's.
    #[must_use]
    pub fn certificates(mut self, path: impl Into<PathBuf>) -> Self {
        self.certificates = Some(path.into());
        self
    }

    /// Where shared libraries come from.
    #[must_use]
    pub fn libraries(mut self, libraries: Libraries) -> Self {
        self.libraries = Some(libraries);
        self
    }

    /// The image to build upon.
    #[must_use]
    pub fn base(mut self, base: Base) -> Self {
        self.base = Some(base);
        self
    }

    /// The directory that stands for `/` when libraries and certificates are looked for: a cross-compiler's.
    #[must_use]
    pub fn system_root(mut self, directory: impl Into<PathBuf>) -> Self {
        self.system_root = directory.into();
        self
    }

    /// Builds the image, with its layers as files in `output_directory`, which is made if it is absent. Reads
    /// and writes files and takes as long as compressing the program does: not for an async thread.
    pub fn build(&self, output_directory: &Path) -> Result<BuiltImage, BuildError> {
        let binary = self.binary.as_deref().ok_or(BuildError::NoProgram)?;
        let name = self.program_name(binary)?;
        if let Some(base) = &self.base {
            base.require(&self.platform)?;
        }
        let elf = Elf::read(binary)?;
        elf.require_program(binary, &self.platform)?;
        std::fs::create_dir_all(output_directory)
            .map_err(|source| BuildError::Output { path: output_directory.to_owned(), source })?;

        let mut warnings = Vec::new();
        let root = SystemRoot::new(self.system_root.clone());
        let gathered = self.gather(&root, binary, &elf, &mut warnings)?;
        let certificates = self.certificate_bundle(&root, &mut warnings)?;
        let mut layers = Vec::new();
        let support = self.support_tree(&gathered, certificates.as_deref());
        if !support.is_empty() {
            layers.push((
                support.write(output_directory)?,
                "shared libraries, certificates, accounts",
            ));
        }
        let mut program = self.new_tree();
        program.add(DIRECTORY, 0o755, Content::Directory);
        program.add(&format!("{DIRECTORY}/{name}"), 0o755, Content::File(binary.to_owned()));
        layers.push((program.write(output_directory)?, "the program"));

        let config = self.config_document(&name, &layers, certificates.is_some())?;
        let layers: Vec<BuiltLayer> = layers.into_iter().map(|(layer, _)| layer).collect();
        let base_layers = self.base.as_ref().map(|base| base.layers.clone()).unwrap_or_default();
        let manifest = self.manifest_document(&name, &config, &base_layers, &layers)?;
        tracing::debug!(image.digest = %manifest.digest, image.layers = layers.len(), "image built");
        Ok(BuiltImage {
            platform: self.platform.clone(),
            manifest,
            config,
            base_layers,
            layers,
            libraries: gathered.into_keys().collect(),
            warnings,
        })
    }

    fn program_name(&self, binary: &Path) -> Result<String, BuildError> {
        let name = self.name.clone().unwrap_or_else(|| {
            binary.file_name().unwrap_or_default().to_string_lossy().into_owned()
        });
        let good = |character: char| {
            character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-' | '+')
        };
        if name.is_empty() || name == "." || name == ".." || !name.chars().all(good) {
            return Err(BuildError::Name { name });
        }
        Ok(name)
    }

    fn new_tree(&self) -> Tree {
        if self.base.is_some() { Tree::over_a_base() } else { Tree::new() }
    }

    fn gather(
        &self,
        root: &SystemRoot,
        binary: &Path,
        elf: &Elf,
        warnings: &mut Vec<Warning>,
    ) -> Result<Gathered, BuildError> {
        let default = if self.base.is_some() { Libraries::FromBase } else { Libraries::Bundled };
        match self.libraries.unwrap_or(default) {
            Libraries::Bundled => Ok(libraries::gather(root, binary, elf, DIRECTORY)?),
            Libraries::FromBase => {
                if !elf.needed.is_empty() {
                    warnings.push(Warning::LibrariesFromBase(elf.needed.clone()));
                }
                Ok(Gathered::new())
            }
        }
    }

    /// The bundle to add, if one is to be.
    fn certificate_bundle(
        &self,
        root: &SystemRoot,
        warnings: &mut Vec<Warning>,
    ) -> Result<Option<PathBuf>, BuildError> {
        let path = match &self.certificates {
            Some(path) => path.clone(),
            None if self.base.is_some() => return Ok(None),
            None => {
                let found = certificates::system_bundle(root);
                if found.is_none() {
                    warnings.push(Warning::NoCertificates);
                }
                return Ok(found);
            }
        };
        match std::fs::read(&path) {
            Ok(bytes) if contains(&bytes, b"-----BEGIN CERTIFICATE-----") => Ok(Some(path)),
            Ok(_) => Err(BuildError::Certificates { path, source: None }),
            Err(error) => Err(BuildError::Certificates { path, source: Some(error) }),
        }
    }

    fn support_tree(&self, gathered: &Gathered, certificates: Option<&Path>) -> Tree {
        let mut tree = self.new_tree();
        for (path, file) in gathered {
            tree.add(path, 0o755, Content::File(file.clone()));
        }
        if let Some(bundle) = certificates {
            tree.add(certificates::IN_IMAGE, 0o644, Content::File(bundle.to_owned()));
        }
        if self.base.is_none() {
            add_accounts(&mut tree);
        }
        tree
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
