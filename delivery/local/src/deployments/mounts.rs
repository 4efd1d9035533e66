use std::{collections::BTreeMap, os::unix::fs::DirBuilderExt as _, path::PathBuf};

use mercurious_core::resources::ObjectName;
use mercurious_manifests::{ClaimVolume, Deployment, MapVolume, VolumeMount, VolumeSource};
use mercurious_sandbox::run::{Isolation, MountedDirectory, MountedFile};

use super::controller::Surroundings;

/// What is put over an image's own files.
#[derive(Default)]
pub(super) struct Mounts {
    /// The keys of ConfigMaps and Secrets.
    pub(super) files: Vec<MountedFile>,
    /// The directories of PersistentVolumeClaims.
    pub(super) directories: Vec<MountedDirectory>,
    /// Empty directories, in the container.
    pub(super) scratch: Vec<String>,
    /// `VOLUME_<NAME>` for each PersistentVolumeClaim: where the program finds it. A plain process has no root file
    /// system of its own, so that its mount path leads nowhere.
    pub(super) variables: Vec<(String, String)>,
}

impl Mounts {
    pub(super) fn new(
        deployment: &Deployment,
        surroundings: &Surroundings,
    ) -> Result<Self, String> {
        let mut mounts = Self::default();
        for mount in &deployment.template.containers[0].volume_mounts {
            let volumes = &deployment.template.volumes;
            let Some(volume) = volumes.iter().find(|volume| volume.name == mount.name) else {
                return Err(format!("there is no volume {}", mount.name));
            };
            let (values, map) = match &volume.source {
                VolumeSource::EmptyDir(_) => {
                    mounts.scratch.push(mount.mount_path.clone());
                    continue;
                }
                VolumeSource::Claim(claim) => {
                    mounts.add_claim(deployment, surroundings, mount, claim)?;
                    continue;
                }
                VolumeSource::ConfigMap(map) => (config_map(deployment, surroundings, map), map),
                VolumeSource::Secret(map) => (secret(deployment, surroundings, map), map),
            };
            mounts.add_files(mount, map, values);
        }
        Ok(mounts)
    }

    fn add_claim(
        &mut self,
        deployment: &Deployment,
        surroundings: &Surroundings,
        mount: &VolumeMount,
        claim: &ClaimVolume,
    ) -> Result<(), String> {
        let mut source: PathBuf =
            surroundings.volumes.join(format!("{}_{}", deployment.name.namespace, claim.name));
        if let Some(part) = &mount.sub_path {
            source.push(part);
        }
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&source).map_err(
            |error| {
                format!(
                    "cannot make the directory of PersistentVolumeClaim {}: {error}",
                    claim.name
                )
            },
        )?;
        let plain = matches!(surroundings.runner.isolation(), Isolation::Plain { .. });
        let place = if plain { source.display().to_string() } else { mount.mount_path.clone() };
        let name = mount.name.to_ascii_uppercase().replace(['-', '.'], "_");
        self.variables.push((format!("VOLUME_{name}"), place));
        self.directories.push(MountedDirectory {
            path: mount.mount_path.clone(),
            source,
            read_only: claim.read_only || mount.read_only,
        });
        Ok(())
    }

    fn add_files(
        &mut self,
        mount: &VolumeMount,
        map: &MapVolume,
        values: BTreeMap<String, Vec<u8>>,
    ) {
        for (key, contents) in values {
            let item = map.items.iter().find(|item| item.key == key);
            let path = match item {
                Some(item) => item.path.clone(),
                None if map.items.is_empty() => key.clone(),
                None => continue,
            };
            let mode = item.and_then(|item| item.mode).unwrap_or(map.default_mode);
            match &mount.sub_path {
                Some(wanted) if *wanted == path => {
                    self.files.push(MountedFile { path: mount.mount_path.clone(), contents, mode });
                }
                Some(_) => {}
                None => self.files.push(MountedFile {
                    path: format!("{}/{path}", mount.mount_path.trim_end_matches('/')),
                    contents,
                    mode,
                }),
            }
        }
    }
}

fn config_map(
    deployment: &Deployment,
    surroundings: &Surroundings,
    map: &MapVolume,
) -> BTreeMap<String, Vec<u8>> {
    let name = ObjectName::new(&deployment.name.namespace, &map.name);
    let Some(found) = surroundings.manifests.config_maps.get(&name) else {
        return BTreeMap::new();
    };
    let text =
        found.value.data.iter().map(|(key, value)| (key.clone(), value.clone().into_bytes()));
    text.chain(found.value.binary_data.clone()).collect()
}

fn secret(
    deployment: &Deployment,
    surroundings: &Surroundings,
    map: &MapVolume,
) -> BTreeMap<String, Vec<u8>> {
    let name = ObjectName::new(&deployment.name.namespace, &map.name);
    let Some(found) = surroundings.manifests.secrets.get(&name) else { return BTreeMap::new() };
    let values = found.value.data.iter();
    values.map(|(key, value)| (key.clone(), value.expose().to_vec())).collect()
}
