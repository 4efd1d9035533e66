use std::{io, path::Path};

use super::image_path::ImageRoot;

/// As whom a program runs, in its container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The user's number.
    pub user: u32,
    /// The group's number.
    pub group: u32,
    /// Whether the manifest asks for this user by number. Who asks for nobody and is not root on this machine runs as
    /// themselves, where the image would run as root.
    pub asked: bool,
    /// The user's home in the image, where the image knows the user.
    pub home: Option<String>,
}

/// Who is to run, as image and manifest say it.
#[derive(Clone, Copy, Debug, Default)]
pub struct IdentityRequest<'a> {
    /// The image's `USER`: `user[:group]`, each a number or a name.
    pub image_user: Option<&'a str>,
    /// `securityContext.runAsUser`.
    pub run_as_user: Option<u32>,
    /// `securityContext.runAsGroup`.
    pub run_as_group: Option<u32>,
    /// `securityContext.runAsNonRoot`.
    pub non_root: bool,
}

/// Why nobody can run.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The image's user is not in its list of users.
    #[error(
        "the image runs as user `{0}`, whom its /etc/passwd does not know; set securityContext.runAsUser"
    )]
    User(String),
    /// The image's group is not in its list of groups.
    #[error(
        "the image runs as group `{0}`, which its /etc/group does not know; set securityContext.runAsGroup"
    )]
    Group(String),
    /// `runAsNonRoot`, and it is root.
    #[error("securityContext.runAsNonRoot is set and the image runs as root; set runAsUser")]
    Root,
    /// `runAsNonRoot`, and the image says a name, which may be root's: Kubernetes does not look it up either.
    #[error(
        "securityContext.runAsNonRoot is set and the image runs as `{0}`, which is not a number; set runAsUser"
    )]
    Named(String),
    /// The lists cannot be read.
    #[error("cannot read the image's users")]
    Io(#[source] io::Error),
}

/// Finds out who runs, by the rules of Kubernetes: the manifest before the image, names by the image's own lists.
pub fn identity(rootfs: &Path, request: IdentityRequest<'_>) -> Result<Identity, IdentityError> {
    let root = ImageRoot::open(rootfs).map_err(IdentityError::Io)?;
    let users = root.read_text("/etc/passwd").map_err(IdentityError::Io)?.unwrap_or_default();
    let image = request.image_user.filter(|text| !text.is_empty());
    let (named, image_group) = match image.map(|text| text.split_once(':').unwrap_or((text, ""))) {
        Some((user, group)) => (Some(user), Some(group).filter(|group| !group.is_empty())),
        None => (None, None),
    };
    let by_number =
        |wanted: u32| users.lines().filter_map(Account::of).find(|it| it.user == wanted);
    let (user, known) = match (request.run_as_user, named) {
        (Some(user), _) => (user, by_number(user)),
        (None, None) => (0, by_number(0)),
        (None, Some(name)) => match name.parse() {
            Ok(user) => (user, by_number(user)),
            Err(_) if request.non_root => return Err(IdentityError::Named(name.to_owned())),
            Err(_) => {
                let known = users.lines().filter_map(Account::of).find(|it| it.name == name);
                let known = known.ok_or_else(|| IdentityError::User(name.to_owned()))?;
                (known.user, Some(known))
            }
        },
    };
    if request.non_root && user == 0 {
        return Err(IdentityError::Root);
    }
    let group = match (request.run_as_group, image_group) {
        (Some(group), _) => group,
        // The image's group belongs to the image's user.
        (None, Some(name)) if request.run_as_user.is_none() => match name.parse() {
            Ok(group) => group,
            Err(_) => group_number(&root, name)?,
        },
        (None, _) => known.as_ref().map_or(0, |known| known.group),
    };
    Ok(Identity {
        user,
        group,
        asked: request.run_as_user.is_some(),
        home: known.map(|known| known.home.to_owned()).filter(|home| home.starts_with('/')),
    })
}

fn group_number(root: &ImageRoot, name: &str) -> Result<u32, IdentityError> {
    let groups = root.read_text("/etc/group").map_err(IdentityError::Io)?.unwrap_or_default();
    groups
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields[0] == name)
        .and_then(|fields| fields.get(2)?.parse().ok())
        .ok_or_else(|| IdentityError::Group(name.to_owned()))
}

/// A line of passwd(5).
struct Account<'a> {
    name: &'a str,
    user: u32,
    group: u32,
    home: &'a str,
}

impl<'a> Account<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        let (name, home) = (fields[0], *fields.get(5)?);
        Some(Self { name, user: fields[2].parse().ok()?, group: fields[3].parse().ok()?, home })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(request: IdentityRequest<'_>) -> Result<(u32, u32, Option<String>), String> {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("etc")).unwrap();
        let users = "root:x:0:0:root:/root:/bin/sh\napp:x:1001:1002::/srv/app:/bin/sh\nodd:x:no:1:::\nshort\n";
        std::fs::write(place.path().join("etc/passwd"), users).unwrap();
        std::fs::write(place.path().join("etc/group"), "root:x:0:\nweb:x:33:app\n").unwrap();
        identity(place.path(), request)
            .map(|it| (it.user, it.group, it.home))
            .map_err(|error| error.to_string())
    }

    fn image(user: &str) -> IdentityRequest<'_> {
        IdentityRequest { image_user: Some(user), ..IdentityRequest::default() }
    }

    #[test]
    fn names_and_numbers_are_looked_up_in_the_image() {
        let app = Some("/srv/app".to_owned());
        assert_eq!(who(IdentityRequest::default()), Ok((0, 0, Some("/root".to_owned()))));
        assert_eq!(who(image("app")), Ok((1001, 1002, app.clone())));
        assert_eq!(who(image("1001")), Ok((1001, 1002, app.clone())));
        assert_eq!(who(image("app:web")), Ok((1001, 33, app.clone())));
        assert_eq!(who(image("app:7")), Ok((1001, 7, app)));
        assert_eq!(who(image("4242")), Ok((4242, 0, None)));
        assert!(who(image("odd")).unwrap_err().contains("`odd`"));
        assert!(who(image("app:nowhere")).unwrap_err().contains("`nowhere`"));
    }

    #[test]
    fn the_manifest_wins_over_the_image() {
        let request = IdentityRequest { run_as_user: Some(4242), ..image("app:web") };
        assert_eq!(who(request), Ok((4242, 0, None)));
        let request = IdentityRequest { run_as_group: Some(5), ..image("app:web") };
        assert_eq!(who(request).unwrap().1, 5);
    }

    #[test]
    fn who_must_not_be_root_is_refused_where_nobody_can_tell() {
        let strict = |request| IdentityRequest { non_root: true, ..request };
        assert!(who(strict(IdentityRequest::default())).unwrap_err().contains("runs as root"));
        assert!(who(strict(image("0"))).unwrap_err().contains("runs as root"));
        assert!(who(strict(image("app"))).unwrap_err().contains("not a number"));
        let request = IdentityRequest { run_as_user: Some(0), ..image("1001") };
        assert!(who(strict(request)).is_err());
        assert_eq!(who(strict(image("1001"))).unwrap().0, 1001);
        let request = IdentityRequest { run_as_user: Some(5), ..image("root") };
        assert_eq!(who(strict(request)).unwrap().0, 5);
    }
}
