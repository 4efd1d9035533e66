use mercurious_core::image::Platform;

use crate::{
    descriptor::{Descriptor, LAYER_MEDIA_TYPE},
    image_config::{History, ImageConfig},
};

/// An image that another is built upon: its configuration is inherited, its layers are named, never read.
#[derive(Clone, Debug)]
pub struct Base {
    pub(crate) config: ImageConfig,
    pub(crate) layers: Vec<Descriptor>,
}

/// Why an image cannot be built upon.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// The configuration is not one.
    #[error("the base image's configuration is unreadable")]
    Config(#[source] serde_json::Error),
    /// Configuration and manifest disagree.
    #[error("the base image has {layers} layers, but its configuration names {diff_ids}")]
    LayerCount {
        /// In the manifest.
        layers: usize,
        /// In the configuration.
        diff_ids: usize,
    },
    /// A layer of a type that an image for every engine cannot have.
    #[error("the base image has a layer of type `{media_type}`, which cannot be built upon")]
    LayerType {
        /// As the manifest has it.
        media_type: String,
    },
    /// For another machine.
    #[error("the base image is for {base}, but this image is for {wanted}")]
    OtherPlatform {
        /// What its configuration says.
        base: Box<Platform>,
        /// The platform asked for.
        wanted: Box<Platform>,
    },
}

impl Base {
    /// A base from the bytes of its configuration and the layers of its manifest, lowest first. Docker's
    /// layer types are written as OCI's, which are the same bytes.
    pub fn new(config: &[u8], layers: Vec<Descriptor>) -> Result<Self, BaseError> {
        let mut config: ImageConfig = serde_json::from_slice(config).map_err(BaseError::Config)?;
        if config.rootfs.diff_ids.len() != layers.len() {
            let diff_ids = config.rootfs.diff_ids.len();
            return Err(BaseError::LayerCount { layers: layers.len(), diff_ids });
        }
        let layers = layers
            .into_iter()
            .map(|layer| Ok(Descriptor { media_type: as_oci(layer.media_type)?, ..layer }))
            .collect::<Result<_, BaseError>>()?;
        // Engines refuse an image whose history does not account for each layer.
        let told = config.history.iter().filter(|entry| !entry.empty_layer).count();
        if told != config.rootfs.diff_ids.len() {
            let entry = History {
                comment: Some("layer of the base image".to_owned()),
                ..History::default()
            };
            config.history = vec![entry; config.rootfs.diff_ids.len()];
        }
        Ok(Self { config, layers })
    }

    /// The platform that it is for.
    pub fn platform(&self) -> Platform {
        Platform {
            os: self.config.os.clone(),
            architecture: self.config.architecture.clone(),
            variant: self.config.variant.clone(),
        }
    }

    pub(crate) fn require(&self, wanted: &Platform) -> Result<(), BaseError> {
        let base = self.platform();
        if base.runs_on(wanted) {
            Ok(())
        } else {
            Err(BaseError::OtherPlatform { base: base.into(), wanted: wanted.clone().into() })
        }
    }
}

fn as_oci(media_type: String) -> Result<String, BaseError> {
    match media_type.as_str() {
        "application/vnd.docker.image.rootfs.diff.tar.gzip" => Ok(LAYER_MEDIA_TYPE.to_owned()),
        "application/vnd.docker.image.rootfs.diff.tar" => {
            Ok("application/vnd.oci.image.layer.v1.tar".to_owned())
        }
        LAYER_MEDIA_TYPE
        | "application/vnd.oci.image.layer.v1.tar"
        | "application/vnd.oci.image.layer.v1.tar+zstd" => Ok(media_type),
        _ => Err(BaseError::LayerType { media_type }),
    }
}
